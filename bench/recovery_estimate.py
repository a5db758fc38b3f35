"""What the rates of a drill mean for a million bundles: the arithmetic of docs/recovery.md, as code.

Pure: rates in, minutes out. What does not grow with machines of the drill's size is said where it is assumed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.topology import BUILDER, BUNDLER

BUNDLES, DEVICES_EACH, PACKAGES, TENANTS = 1_000_000, 100, 10_000, 200
"""A large region: so many bundles, of so many packages and tenants."""
RTO_MINUTES, RPO_MINUTES = 90, 15
DATABASE_CORES, DRILL_CORES = 16, 2
DATABASE_SHARE = 0.5
"""Of the speed-up that eight times the cores could give to loading rows side by side, so much is counted."""
BUNDLE_MB, PACKAGE_RENDER_S = 25.0, 60.0
"""A bundle's bytes where all of it has to be encrypted again, and how long a package's media take one builder."""
ENCRYPT_MB_S = 143.0
"""Of one bundler with its two CPUs."""


@dataclass(frozen=True)
class Rates:
    """Of the drill, each a second: changes archived and read, rows restored and compared, keys listed, small packages and seals
    made again by one process, bundles made in the first place."""

    changes_per_bundle: float
    archived: float
    read: float
    rows: float
    rows_per_bundle: float
    compared: float
    listed: float
    items: float
    bundles: float


RATES = Path(__file__).with_name("recovery_rates.json")
LABELS = {
    "changes_per_bundle": ("drill: changes a bundle", "changes"),
    "archived": ("drill: archived", "changes/s"),
    "read": ("drill: read from the log", "changes/s"),
    "rows": ("drill: rows restored", "rows/s"),
    "rows_per_bundle": ("drill: rows a bundle", "rows"),
    "compared": ("drill: rows compared", "rows/s"),
    "listed": ("drill: keys listed", "keys/s"),
    "items": ("drill: packages and seals made again", "items/s"),
    "bundles": ("drill: bundles made", "bundles/s"),
}
"""How each rate is called among the results of measurements, and its unit."""


def measured() -> Rates:
    """The rates of the last drill."""
    return Rates(**json.loads(RATES.read_text()))


def keep(rates: Rates) -> None:
    """Write them down, as docs/recovery.md is made of them."""
    RATES.write_text(json.dumps({name: round(value, 2) for name, value in vars(rates).items()}, indent=1) + "\n")


@dataclass(frozen=True)
class Step:
    """One line: how it is counted, the minutes, and what they must not exceed."""

    name: str
    how: str
    minutes: float
    most: float = RTO_MINUTES


def estimate(rates: Rates) -> list[Step]:
    """Minutes for a million bundles: each step, and the three ways that a region may have been lost."""
    faster = 1 + (DATABASE_CORES / DRILL_CORES - 1) * DATABASE_SHARE
    changes, rows = BUNDLES * rates.changes_per_bundle, BUNDLES * rates.rows_per_bundle
    keys = 2 * BUNDLES
    log = changes / (rates.read * faster) / 60
    put = rows / (rates.rows * faster) / 60
    compared = rows / (rates.compared * faster) / 60
    listed = keys / (rates.listed * faster) / 60
    lists = TENANTS * 0.5 / 4 / 60
    seals = BUNDLES / (rates.items * BUNDLER.maximum) / 60
    bytes_ = BUNDLES * BUNDLE_MB / (ENCRYPT_MB_S * BUNDLER.maximum) / 60
    media = PACKAGES * PACKAGE_RENDER_S / BUILDER.maximum / 60
    base = log + put + compared + lists + listed
    return [
        Step("log", f"{changes:,.0f} changes at {rates.read:,.0f}/s x {faster:g}", log),
        Step("rows", f"{rows:,.0f} rows at {rates.rows:,.0f}/s x {faster:g}", put),
        Step("compare", f"{rows:,.0f} rows at {rates.compared:,.0f}/s x {faster:g}", compared),
        Step("epochs", f"{TENANTS} tenants, half a second each, 4 side by side", lists),
        Step("listing", f"{keys:,.0f} keys at {rates.listed:,.0f}/s x {faster:g}", listed),
        Step(
            "one in a hundred lost", f"{BUNDLES // 100:,} seals on {BUNDLER.maximum} bundlers", (seals + bytes_) / 100
        ),
        Step("all seals: overhead", f"{BUNDLES:,} at {rates.items:,.0f}/s x {BUNDLER.maximum}", seals),
        Step(
            "all seals: bytes",
            f"{BUNDLES * BUNDLE_MB / 1e6:,.0f} TB at {ENCRYPT_MB_S:g} MB/s x {BUNDLER.maximum}",
            bytes_,
        ),
        Step("all media", f"{PACKAGES:,} packages, {PACKAGE_RENDER_S:g} s each, {BUILDER.maximum} builders", media),
        Step(
            "in all, bucket kept",
            "log + rows + compare + epochs + listing + one in a hundred",
            base + (seals + bytes_) / 100,
        ),
        Step("in all, bundles lost", "the same, with all seals", base + seals + bytes_),
        Step("in all, bucket lost", "the same, with all media", base + seals + bytes_ + media),
    ]


BEGIN, END = "<!-- the drill's table -->\n", "\n<!-- its end -->"


def written(document: str, steps: Sequence[Step]) -> str:
    """The document with this table in the place of the one before."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + table(steps) + END + rest.partition(END)[2]


def table(steps: Sequence[Step]) -> str:
    rows = ["| step | how | minutes |", "|---|---|---|"]
    return "\n".join([*rows, *(f"| {each.name} | {each.how} | {each.minutes:,.1f} |" for each in steps)])
