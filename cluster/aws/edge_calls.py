"""What the documents of the edge have in common: a call, what it gives, how things are named and lists counted."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def call(call: str, gives: str, **parameters: Any) -> Document:
    return {"call": call, "gives": gives, "parameters": parameters}


def named(region: str, what: str) -> str:
    return f"content-{region}-{what}"


def counted(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}
