"""What the rates of a drill mean for a million bundles: the arithmetic of docs/recovery.md, as code.

Pure: rates in, minutes out. What does not grow with machines of the drill's size is said where it is assumed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.topology import BUILDER, BUNDLER
from tasks.recovery.archived import LATE_S
from tasks.recovery.restore import TENANTS_AT_ONCE

BUNDLES, PACKAGES, TENANTS = 1_000_000, 10_000, 200
"""A large region: so many bundles, of so many packages and tenants."""
RTO_MINUTES, RPO_MINUTES = 90, 15
DATABASE_CORES, DRILL_CORES = 16, 2
CORES_USED = min(DATABASE_CORES, TENANTS_AT_ONCE)
"""A tenant's step is one statement at a time, which takes one core of the database."""
DATABASE_SHARE = 0.5
"""Of the speed-up that more cores could give to statements side by side, so much is counted."""
FASTER = 1 + (CORES_USED / DRILL_CORES - 1) * DATABASE_SHARE
BUNDLE_MB, PACKAGE_MB, PACKAGE_RENDER_S = 25.0, 250.0, 60.0
"""A bundle's bytes where all of it has to be encrypted again, those of a package in all its renditions, and how long these take
one builder."""
BUNDLER_CORES = BUNDLER.cpu_limit / 1000


@dataclass(frozen=True)
class Rates:
    """Of one drill. Each a second: changes archived and read, rows restored and compared, keys listed, epochs begun, small packages
    and small seals made again by one process, bundles made in the first place; MB of large seals, and of files that are copied from
    another bucket, by one core. `…_own`
    is the share of that step's time that the restoring process itself computes: a larger database does not shorten it."""

    packages: float
    tenants: float
    drilled: float
    changes_per_bundle: float
    rows_per_bundle: float
    keys_per_bundle: float
    bundles: float
    archived: float
    read: float
    read_own: float
    rows: float
    rows_own: float
    compared: float
    compared_own: float
    epochs: float
    listed: float
    versions: float
    seals: float
    encrypted: float
    copied: float
    copied_each: float


RATES = Path(__file__).with_name("recovery_rates.json")
LABELS = {
    "packages": ("drill: packages", "packages"),
    "tenants": ("drill: tenants", "tenants"),
    "drilled": ("drill: bundles", "bundles"),
    "changes_per_bundle": ("drill: changes a bundle", "changes"),
    "rows_per_bundle": ("drill: rows a bundle", "rows"),
    "keys_per_bundle": ("drill: keys in the bucket a bundle", "keys"),
    "bundles": ("drill: bundles made by one process", "bundles/s"),
    "archived": ("drill: changes archived", "changes/s"),
    "read": ("drill: changes read from the log", "changes/s"),
    "read_own": ("drill: of that computed by the restore", "share"),
    "rows": ("drill: rows restored", "rows/s"),
    "rows_own": ("drill: of the rows computed by the restore", "share"),
    "compared": ("drill: rows compared", "rows/s"),
    "compared_own": ("drill: of the comparison computed by the restore", "share"),
    "epochs": ("drill: epochs begun", "tenants/s"),
    "listed": ("drill: keys listed and looked up", "keys/s"),
    "versions": ("drill: packages made again", "packages/s"),
    "seals": ("drill: small seals made again", "seals/s"),
    "encrypted": ("drill: large seals, of one core", "MB/s"),
    "copied": ("drill: copied from a replica, of one core", "MB/s"),
    "copied_each": ("drill: small files copied from a replica", "files/s"),
}
"""How each figure is called among the results of measurements, and its unit."""


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
    most: float | None = None


def estimate(rates: Rates) -> list[Step]:
    """Minutes for a million bundles: each step, the three ways that a region may have been lost, and what is lost for good."""
    changes, rows = BUNDLES * rates.changes_per_bundle, BUNDLES * rates.rows_per_bundle
    keys = BUNDLES * rates.keys_per_bundle
    log = _slower_half(changes / rates.read, rates.read_own)
    put = _slower_half(rows / rates.rows, rates.rows_own)
    compared = _slower_half(rows / rates.compared, rates.compared_own)
    epochs = TENANTS / rates.epochs / 60
    listed = 2 * keys / rates.listed / 60
    small = BUNDLES / (rates.seals * BUNDLER.maximum) / 60
    per_bundler = rates.encrypted * BUNDLER_CORES
    large = BUNDLES * BUNDLE_MB / (per_bundler * BUNDLER.maximum) / 60
    versions = PACKAGES / (rates.versions * BUILDER.maximum) / 60
    media = PACKAGES * PACKAGE_RENDER_S / BUILDER.maximum / 60
    base = log + put + compared + epochs + listed
    few = (versions + small + large) / 100
    copied_mb = BUNDLES * BUNDLE_MB + PACKAGES * PACKAGE_MB
    per_copier = rates.copied * BUNDLER_CORES
    each = keys / (rates.copied_each * BUNDLER.maximum) / 60
    replica = each + copied_mb / (per_copier * BUNDLER.maximum) / 60
    made = BUNDLER.maximum * rates.bundles * rates.changes_per_bundle
    burst = BUNDLES / (BUNDLER.maximum * rates.bundles) / 60
    behind = LATE_S / 60 + burst * max(0.0, made / rates.archived - 1)
    return [
        Step("log", _how(changes, "changes", rates.read, rates.read_own), log),
        Step("rows", _how(rows, "rows", rates.rows, rates.rows_own), put),
        Step("compare", _how(rows, "rows", rates.compared, rates.compared_own), compared),
        Step("epochs", f"{TENANTS} tenants at {rates.epochs:,.1f}/s", epochs),
        Step("listing", f"{keys:,.0f} keys at {rates.listed:,.0f}/s, twice, by one process", listed),
        Step("one in a hundred lost", "of the three lines that follow", few),
        Step("all manifests", f"{PACKAGES:,} at {rates.versions:,.1f}/s x {BUILDER.maximum}", versions),
        Step("all seals: each", f"{BUNDLES:,} at {rates.seals:,.0f}/s x {BUNDLER.maximum}", small),
        Step(
            "all seals: bytes",
            f"{BUNDLES * BUNDLE_MB / 1e6:,.0f} TB at {per_bundler:,.0f} MB/s "
            f"({BUNDLER_CORES:g} cores at {rates.encrypted:,.0f}) x {BUNDLER.maximum}",
            large,
        ),
        Step(
            "all from the replica",
            f"{keys:,.0f} keys at {rates.copied_each:,.0f}/s x {BUNDLER.maximum}, and "
            f"{copied_mb / 1e6:,.1f} TB at {per_copier:,.0f} MB/s x {BUNDLER.maximum}",
            replica,
        ),
        Step("all media", f"{PACKAGES:,} packages, {PACKAGE_RENDER_S:g} s each, {BUILDER.maximum} builders", media),
        Step(
            "**in all, bucket kept**",
            "log + rows + compare + epochs + listing + one in a hundred",
            base + few,
            RTO_MINUTES,
        ),
        Step("**in all, bundles lost**", "the same, with all manifests and seals", base + versions + small + large, RTO_MINUTES),
        Step("**in all, bucket lost, replica kept**", "bucket kept, with all from the replica", base + replica, RTO_MINUTES),
        Step("**in all, bucket and replica lost**", "the same, with all media", base + versions + small + large + media, RTO_MINUTES),
        Step(
            "**lost for good**",
            f"a million small bundles made in one go: {BUNDLER.maximum} bundlers x {rates.bundles:,.0f}/s x "
            f"{rates.changes_per_bundle:,.1f} = {made:,.0f} changes/s for {burst:,.1f} minutes against {rates.archived:,.0f} archived; and "
            f"{LATE_S:g} s",
            behind,
            RPO_MINUTES,
        ),
    ]  # fmt: skip


def _slower_half(seconds: float, own: float) -> float:
    """Minutes: what the restore computes stays, what the database does becomes faster."""
    return seconds * (own + (1 - own) / FASTER) / 60


def _how(count: float, what: str, rate: float, own: float) -> str:
    return f"{count:,.0f} {what} at {rate:,.0f}/s, {1 - own:.0%} of it / {FASTER:g}"


PLACES = {"table": ("<!-- the drill's table -->\n", "\n<!-- its end -->"), "rates": ("<!-- its rates -->\n", "\n<!-- their end -->")}  # fmt: skip


def written(document: str, rates: Rates) -> str:
    """The document with these two tables in the place of those before."""
    for name, text in (("table", table(estimate(rates))), ("rates", rates_table(rates))):
        begin, end = PLACES[name]
        before, _, rest = document.partition(begin)
        document = before + begin + text + end + rest.partition(end)[2]
    return document


def table(steps: Sequence[Step]) -> str:
    rows = ["| step | how | minutes | at most |", "|---|---|---|---|"]
    return "\n".join(
        [*rows, *(f"| {each.name} | {each.how} | {each.minutes:,.1f} | {_most(each)} |" for each in steps)]
    )


def _most(step: Step) -> str:
    if step.most is None:
        return ""
    return f"{step.most:g}" if step.minutes <= step.most else f"{step.most:g}: **missed**"


def rates_table(rates: Rates) -> str:
    rows = ["| of the drill | |", "|---|---|"]
    found = ((*LABELS[name], value) for name, value in vars(rates).items())
    return "\n".join(
        [*rows, *(f"| {label.removeprefix('drill: ')} | {_short(value)} {unit} |" for label, unit, value in found)]
    )


def _short(value: float) -> str:
    return (
        f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
    )
