"""A plan as an author or a learner reads it: what is whole, reduced or left out, what was taken away for it, and how long it
takes to fetch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serve_app.cli.output import say
from serve_app.cli.tables import column, show

if TYPE_CHECKING:
    from serve_app.client import Plan

SHOWN = {"left-out": "left out", "variant": "lighter"}


def show_plan(plan: Plan) -> None:
    """The units in a table, then the reasons."""
    space = "all of it" if plan["space_bytes"] is None else f"a space of {plan['space_bytes']:,} bytes"
    say(f"{plan['package_id']} version {plan['version']}, profile {plan['profile']}")
    say(f"for {space}")
    rows: list[dict[str, Any]] = [
        {
            "unit": unit["id"],
            "state": SHOWN.get(unit["state"], unit["state"]),
            "bytes": f"{unit['bytes']:,}",
            "of": f"{unit['plain_bytes']:,}",
            "title": next(iter(unit["title"].values()), ""),
        }
        for unit in plan["units"]
    ]
    columns = [column("unit"), column("", "state"), column("bytes"), column("of"), column("title", text=True)]
    show(columns, rows, "The course has no units.")
    times = ", ".join(f"{_time(each['seconds'])} on {each['network']}" for each in plan["downloads"])
    say(f"{plan['bytes']:,} of {plan['plain_bytes']:,} bytes to fetch:")
    say(f"{times}.")
    for step in plan["steps"]:
        say(f"  {_told(step)}, saves {step['saves_bytes']:,} bytes")
    if plan["steps"]:
        say(f"The plan is {plan['plan_id']}; the least space is {plan['least_bytes']:,} bytes.")
    else:
        say("Nothing is taken away.")


def _told(step: Mapping[str, Any]) -> str:
    match step["kind"]:
        case "reduce":
            return f"{', '.join(step['assets'])}: {step['before']} → {step['after']}"
        case "variant":
            return f"unit {step['units'][0]}: {step['after']}"
        case _:
            return f"unit {step['units'][0]} is left out"


def _time(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{-(-seconds // 60)} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
