"""A line chart as SVG text: linear x, logarithmic y, a label at the end of each line."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 60, 600, 56, 390
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0409a", "#8a6d00", "#56606a", "#3f8fd0", "#a01c1c", "#111111")
LABEL_GAP = 17.0


def line_chart(title: str, x_label: str, y_label: str, series: Mapping[str, Points]) -> str:
    """The SVG of at least one series of at least two points with y > 0. Raises ValueError without any."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    if not xs or min(xs) == max(xs) or min(ys) <= 0:
        raise ValueError("a chart needs two different x and only positive y")
    low, high = math.log(min(ys) * 0.9), math.log(max(ys) * 1.1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - min(xs)) / (max(xs) - min(xs))
        up = (math.log(y) - low) / (high - low)
        return LEFT + across * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 26, title, size=16),
        _text(LEFT, 45, y_label, colour="#56606a"),
        _text((LEFT + RIGHT) / 2, HEIGHT - 12, x_label, colour="#56606a", anchor="middle"),
    ]
    for tick in _ticks(min(ys) * 0.9, max(ys) * 1.1):
        _, y = place(min(xs), tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="#e3e6e9"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{tick:g}", colour="#56606a", anchor="end"))
    for x_value in sorted(set(xs)):
        x, _ = place(x_value, max(ys))
        parts.append(_text(x, BOTTOM + 19, f"{x_value:g}", colour="#56606a", anchor="middle"))
    label_ys = _spread([place(*points[-1])[1] for points in series.values()])
    for (name, points), colour, label_y in zip(series.items(), _colours(len(series)), label_ys, strict=True):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        end_x, end_y = place(*points[-1])
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<path d="M{end_x + 2:.1f} {end_y:.1f}L{RIGHT + 10} {label_y:.1f}" stroke="{colour}"/>')
        parts.append(_text(RIGHT + 14, label_y + 4, name, colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, colour: str = "#1c2126", size: int = 13, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between low and high."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**decade for decade in decades for step in (1, 2, 5) if low <= step * 10.0**decade <= high]


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _spread(wanted: Sequence[float]) -> list[float]:
    """The wanted heights, pushed apart just enough that labels don't overlap, kept above the bottom of the plot."""
    placed = [0.0] * len(wanted)
    floor = float(BOTTOM)
    for index in sorted(range(len(wanted)), key=lambda index: wanted[index], reverse=True):
        placed[index] = min(wanted[index], floor)
        floor = placed[index] - LABEL_GAP
    return placed
