"""What a measurement says, and how it is printed and kept (`bench/results.json`)."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

PATH = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Result:
    """`ratio` is value against baseline where there is one; `aim` is text such as `≥ 0.85`, `met` whether it was."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None


def at_least(name: str, value: float, unit: str, baseline: float, aim: float) -> Result:
    """More is better: value / baseline is to be `aim` or more."""
    ratio = value / baseline
    return Result(name, round(value, 3), unit, round(baseline, 3), round(ratio, 3), f"≥ {aim}", ratio >= aim)


def at_most(name: str, value: float, unit: str, baseline: float, aim: float) -> Result:
    """Less is better: value / baseline is to be `aim` or less."""
    ratio = value / baseline
    return Result(name, round(value, 3), unit, round(baseline, 3), round(ratio, 3), f"≤ {aim}", ratio <= aim)


def limit(name: str, value: float, unit: str, most: float) -> Result:
    """A figure of its own that is to stay at or below `most`."""
    return Result(name, round(value, 3), unit, None, None, f"≤ {most:g}", value <= most)


def fact(name: str, value: float, unit: str) -> Result:
    """A figure without an aim."""
    return Result(name, round(value, 3), unit)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interleaved(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float]:
    """The medians of two measurements taken in turns, so that a noisy minute hits both."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def show(results: Sequence[Result]) -> None:
    table = Table("measurement", "value", "unit", "baseline", "ratio", "aim", "met", box=None, pad_edge=False)
    for entry in results:
        met = "" if entry.met is None else "[green]yes[/]" if entry.met else "[red]no[/]"
        table.add_row(
            entry.name,
            f"{entry.value:g}",
            entry.unit,
            "" if entry.baseline is None else f"{entry.baseline:g}",
            "" if entry.ratio is None else f"{entry.ratio:.2f}",
            entry.aim,
            met,
        )
    Console().print(table)


def keep(results: Sequence[Result]) -> None:
    """Write the list; results of measurements that were not run this time are kept."""
    known = {entry["name"]: entry for entry in json.loads(PATH.read_text())} if PATH.exists() else {}
    known |= {entry.name: asdict(entry) for entry in results}
    PATH.write_text(json.dumps(list(known.values()), indent=1, ensure_ascii=False) + "\n")
