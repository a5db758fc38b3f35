"""The error of everything below content/bundles: a bundle that must not be opened, or cannot be made."""

from __future__ import annotations

from dataclasses import dataclass

from content.errors import ContentError


@dataclass(eq=False)
class BundleRefused(ContentError):
    """The code names the check of docs/bundle-format.md that failed."""
