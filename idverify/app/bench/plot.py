"""Curves over a logarithmic axis, as an SVG text: enough for a figure in the documentation, without a library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 400, 60, 40, 50, 70
_COLOURS: Final = ("#0b57d0", "#b3261e")
_TICKS: Final = 5

Curve = Sequence[tuple[float, float]]


def svg(title: str, x_name: str, y_name: str, curves: Mapping[str, Curve]) -> str:
    """The curves by name, points with positive x; y from zero to the highest 99th part, so that no outlier rules."""
    points = [point for curve in curves.values() for point in curve]
    left, right = math.log10(_round(min(x for x, _ in points), up=False)), math.log10(max(x for x, _ in points))
    heights = sorted(y for _, y in points)
    top = _round(1.2 * heights[-1 - len(heights) // 100], up=True)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - left) / ((right - left) or 1)
        up = min(y / top, 1)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_WIDTH / 2, 28, title, "middle", 16),
        _text(_WIDTH / 2, _HEIGHT - 34, x_name, "middle"),
        _text(_LEFT, _TOP - 8, y_name, "start"),
    ]
    for value in (top * step / _TICKS for step in range(_TICKS + 1)):
        x, y = place(10**left, value)
        parts += [_line(x, y, _WIDTH - _RIGHT, y, "#ddd"), _text(x - 6, y + 4, f"{value:g}", "end")]
    for value in _round_numbers(left, right):
        x, y = place(value, 0)
        parts += [_line(x, y, x, y + 5, "#444"), _text(x, y + 19, f"{value:,}", "middle")]
    for at, (name, curve) in enumerate(curves.items()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in curve))
        colour = _COLOURS[at % len(_COLOURS)]
        parts += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>',
            _line(_LEFT + 300 * at, _HEIGHT - 14, _LEFT + 24 + 300 * at, _HEIGHT - 14, colour),
            _text(_LEFT + 32 + 300 * at, _HEIGHT - 10, name, "start"),
        ]
    return "\n".join([*parts, "</svg>\n"])


def _round(value: float, *, up: bool) -> float:
    """The next 1, 2 or 5 times a power of ten, or the last."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = [step * power for step in (1, 2, 5, 10)]
    return min(step for step in steps if step >= value) if up else max(step for step in steps if step <= value)


def _round_numbers(left: float, right: float) -> list[int]:
    """1, 2 and 5 times each power of ten between two logarithms."""
    numbers = [step * 10**power for power in range(int(left), int(right) + 1) for step in (1, 2, 5)]
    return [number for number in numbers if left - 0.05 <= math.log10(number) <= right + 0.05]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str, size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} fill="#222">{escape(text)}</text>'
