"""The picture of one run: depth, bundlers and their nodes, the API and its nodes, over one axis of seconds. Plain SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from bench.autoscaling import Course, Look

WIDTH, LEFT, RIGHT, TOP, GAP = 860, 56, 20, 34, 44
HEIGHT, ROW = 130, 16
INK, FAINT, GRID = "#1f2937", "#6b7280", "#e5e7eb"
BLUE, ORANGE, GREEN = "#2563eb", "#ea580c", "#059669"


@dataclass(frozen=True)
class Line:
    """A series: its name, colour and value at each look; `stepped` where it only takes whole numbers."""

    name: str
    colour: str
    of: Callable[[Look], float]
    dashed: bool = False
    filled: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    lines: Sequence[Line]


PANELS = (
    Panel("bundles that wait or are being made", (Line("depth", ORANGE, lambda look: look.depth, filled=True),)),
    Panel("content-bundler", (
        Line("wanted", FAINT, lambda look: look.state.targets.get("content-bundler", 0), dashed=True),
        Line("nodes", GREEN, lambda look: look.state.nodes.get("content-bundler", 0)),
        Line("replicas that run", BLUE, lambda look: look.state.replicas.get("content-bundler", 0)),
    )),
    Panel("content-api", (
        Line("wanted", FAINT, lambda look: look.state.targets.get("content-api", 0), dashed=True),
        Line("nodes", GREEN, lambda look: look.state.nodes.get("content-api", 0)),
        Line("replicas that run", BLUE, lambda look: look.state.replicas.get("content-api", 0)),
    )),
)  # fmt: skip


def draw(run: Course) -> str:
    """The whole picture."""
    end = run.looks[-1].at_s
    bottom = TOP + len(PANELS) * (HEIGHT + GAP) - GAP
    height = bottom + 60 + ROW * math.ceil(len(run.marks) / 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11" '
        f'role="img" aria-label="Depth, replicas and nodes over time">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(PANELS):
        parts += _panel(panel, run, TOP + number * (HEIGHT + GAP), end)
    parts += _marks(run.marks, end, bottom)
    parts += _axis(end, bottom)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _marks(marks: Sequence[tuple[float, str]], end: float, bottom: float) -> Iterable[str]:
    """What happened: a line through all panels, and what its number means below them, in two columns. Numbers of neighbours
    stand in two rows, since some happen at once."""
    half = math.ceil(len(marks) / 2)
    for number, (at, text) in enumerate(marks, 1):
        x, low = _x(at, end), bottom + 30 + (number + 1) % 2 * 12
        yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{low - 9}" stroke="{FAINT}" stroke-dasharray="1 3"/>'
        yield f'<text x="{x}" y="{low}" fill="{INK}" text-anchor="middle">{number}</text>'
        column, row = divmod(number - 1, half)
        x, y = LEFT + column * (WIDTH - LEFT - RIGHT) // 2, bottom + 66 + row * ROW
        yield f'<text x="{x}" y="{y}" fill="{INK}">{number}: {escape(text)} ({at:.0f} s)</text>'


def _x(at: float, end: float) -> float:
    return round(LEFT + at / end * (WIDTH - LEFT - RIGHT), 1)


def _panel(panel: Panel, run: Course, top: float, end: float) -> Iterable[str]:
    most = _rounded_up(max((line.of(look) for line in panel.lines for look in run.looks), default=1))
    base = top + HEIGHT

    def y(value: float) -> float:
        return round(base - value / most * HEIGHT, 1)

    yield f'<text x="{LEFT}" y="{top - 8}" fill="{INK}" font-weight="600">{escape(panel.title)}</text>'
    for tick in sorted({0, most / 2 if most > 10 else round(most / 2), most}):
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick)}" y2="{y(tick)}" stroke="{GRID}"/>'
        yield f'<text x="{LEFT - 6}" y="{y(tick) + 4}" fill="{FAINT}" text-anchor="end">{tick:g}</text>'
    x = WIDTH - RIGHT
    for line in panel.lines:
        yield from _series(line, run.looks, end, y, base)
    for line in reversed(panel.lines if len(panel.lines) > 1 else ()):
        yield f'<text x="{x}" y="{top - 8}" fill="{line.colour}" text-anchor="end">{escape(line.name)}</text>'
        x -= 7 * len(line.name) + 14


def _series(line: Line, looks: Sequence[Look], end: float, y: Callable[[float], float], base: float) -> Iterable[str]:
    """Steps: what was seen holds until it is seen anew. Points that change nothing are left out."""
    path, before = "", math.nan
    for look in looks:
        value = line.of(look)
        if value != before:
            x = _x(look.at_s, end)
            path += f"H{x}V{y(value)}" if path else f"M{x} {y(value)}"
            before = value
    path += f"H{_x(end, end)}"
    if line.filled:
        yield f'<path d="{path}V{base}H{LEFT}Z" fill="{line.colour}" opacity="0.25"/>'
    dash = ' stroke-dasharray="4 3"' if line.dashed else ""
    yield f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="1.8"{dash}/>'


def _axis(end: float, bottom: float) -> Iterable[str]:
    step = next(each for each in (10, 20, 30, 60, 120, 300, 600) if end / each <= 12 or each == 600)
    for at in range(0, int(end) + 1, step):
        yield f'<text x="{_x(at, end)}" y="{bottom + 16}" fill="{FAINT}" text-anchor="middle">{at} s</text>'


def _rounded_up(value: float) -> float:
    """The end of an axis: 6 stays 6, 2745 becomes 3000."""
    if value <= 10:
        return max(1, math.ceil(value))
    unit = 10 ** math.floor(math.log10(value))
    return math.ceil(value / unit * 2) / 2 * unit
