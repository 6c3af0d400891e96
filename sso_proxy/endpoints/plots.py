"""
Plots as inline SVG, of numbers alone: no text from outside gets in.

Colours and strokes are classes of the page's style sheet, so that a plot is readable
in its light and its dark colours, and its lines differ by their dashes, too.
"""

import math
from collections.abc import Sequence
from typing import Final

import attrs
from markupsafe import Markup

WIDTH: Final = 640
HEIGHT: Final = 220
_LEFT: Final = 54
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 24
_INNER: Final = WIDTH - _LEFT - _RIGHT
_FLOOR: Final = HEIGHT - _BOTTOM
_NONE: Final = "nothing in this time"


@attrs.frozen(kw_only=True)
class Axis:
    """
    A vertical axis.

    Attributes:
        ticks: Values with their labels.
        place: Says how high, from 0 to 1, a value is.
    """

    ticks: tuple[tuple[float, str], ...]
    top: float
    bottom: float = 0.0
    logarithmic: bool = False

    def height(self, value: float) -> float:
        """Give the distance of *value* from the top of the plot."""
        low, high = self.bottom, self.top
        if self.logarithmic:
            low, high = math.log10(low), math.log10(high)
            value = math.log10(max(value, self.bottom))
        share = (value - low) / (high - low)
        return _TOP + (1 - min(max(share, 0.0), 1.0)) * (_FLOOR - _TOP)


def plain_axis(largest: float) -> Axis:
    """Give an axis from 0 to a round number that is *largest* at least."""
    largest = max(largest, 1e-9)
    step = 10 ** math.floor(math.log10(largest / 4))
    step *= next(k for k in (1, 2, 2.5, 5, 10) if step * k * 4 >= largest)
    ticks = tuple((step * i, _short(step * i)) for i in range(5))
    return Axis(ticks=ticks, top=step * 4)


def duration_axis(smallest: float, largest: float) -> Axis:
    """Give a logarithmic axis of seconds, by powers of ten."""
    first = math.floor(math.log10(max(smallest, 1e-4)))
    last = max(math.ceil(math.log10(max(largest, 1e-4))), first + 1)
    ticks = tuple((10.0**i, duration(10.0**i)) for i in range(first, last + 1))
    return Axis(ticks=ticks, top=10.0**last, bottom=10.0**first, logarithmic=True)


def duration(seconds: float) -> str:
    """Write *seconds* for people: ``2.5 ms``."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"


def stacked_bars(
    layers: Sequence[tuple[str, Sequence[float]]],
    times: Sequence[str],
    label: str,
) -> Markup:
    """
    Draw bars, one above the other.

    Args:
        layers: Names of classes, and a value for each bar.
        times: Labels at equal distances below, from the first bar to the last.
        label: What is to be heard instead.
    """
    count = max((len(values) for _, values in layers), default=0)
    sums = [sum(values[i] for _, values in layers) for i in range(count)]
    axis = plain_axis(max(sums, default=0.0) or 1.0)
    width = _INNER / max(count, 1)
    gap = min(1.0, width * 0.2)
    below = [0.0] * count
    drawn = []
    for name, values in layers:
        path = []
        for i, value in enumerate(values):
            if not value:
                continue
            low, high = axis.height(below[i]), axis.height(below[i] + value)
            below[i] += value
            x, wide = _LEFT + i * width, width - gap
            path.append(f"M{x:.1f} {low:.1f}V{high:.1f}h{wide:.1f}V{low:.1f}z")
        if path:
            drawn.append(f'<path class="bar {name}" d="{"".join(path)}"/>')
    return _frame(axis, times, label, drawn)


def lines(
    series: Sequence[tuple[str, Sequence[float | None]]],
    times: Sequence[str],
    label: str,
) -> Markup:
    """
    Draw lines over a logarithmic axis of seconds.

    Args:
        series: Names of classes, and a value for each point, None where there is none.
        times: As for `stacked_bars`.
        label: As there.
    """
    known = [value for _, values in series for value in values if value is not None]
    axis = duration_axis(min(known, default=0.001), max(known, default=0.1))
    drawn = []
    for name, values in series:
        path, pen = [], "M"
        step = _INNER / max(len(values) - 1, 1)
        for i, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{_LEFT + i * step:.1f} {axis.height(value):.1f}")
            if pen == "M":  # a point alone is seen, too
                path.append("h0.1")
            pen = "L"
        if path:
            drawn.append(f'<path class="line {name}" d="{"".join(path)}"/>')
    return _frame(axis, times, label, drawn)


def sparkline(values: Sequence[float], label: str) -> Markup:
    """Draw *values* small, without axes."""
    top, width, height = max(values, default=0.0) or 1.0, 120, 26
    step = width / max(len(values) - 1, 1)
    points = [
        f"{i * step:.1f} {height - 2 - value / top * (height - 4):.1f}"
        for i, value in enumerate(values)
    ]
    path = "M" + "L".join(points) if points else ""
    area = f"{path}L{width} {height}L0 {height}z" if points else ""
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<path class="area" d="{}"/><path class="line" d="{}"/></svg>'
    ).format(width, height, label, area, path)


def _frame(axis: Axis, times: Sequence[str], label: str, drawn: list[str]) -> Markup:
    grid = []
    for value, text in axis.ticks:
        y = axis.height(value)
        grid.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
            f'<text class="y" x="{_LEFT - 8}" y="{y + 4:.1f}">{text}</text>'
        )
    for i, text in enumerate(times):
        x = _LEFT + i * _INNER / max(len(times) - 1, 1)
        anchor = "start" if i == 0 else "end" if i == len(times) - 1 else "middle"
        grid.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>'
        )
    if not drawn:
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        drawn = [f'<text x="{middle:.1f}" y="104" text-anchor="middle">{_NONE}</text>']
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>'
    ).format(WIDTH, HEIGHT, label, Markup("".join(grid)), Markup("".join(drawn)))  # noqa: S704 - numbers


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"
