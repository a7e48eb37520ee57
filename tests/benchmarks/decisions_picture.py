"""The benchmark as a picture: one bar a scenario and size, split by how its rollouts ended."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

PARTS = (("failed", "#c0392b"), ("inconclusive", "#b0b7bf"), ("marginal", "#e0a030"), ("passed", "#3d8b5f"))
ROW, LEFT, BAR, TOP = 22, 280, 480, 44


def picture(cells: Sequence[Any]) -> str:
    """Draw the cells as SVG."""
    height = TOP + ROW * len(cells) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR + 90}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="{height}" fill="white"/>',
    ]
    for index, (name, colour) in enumerate(PARTS):
        x = LEFT + 120 * index
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/><text x="{x + 18}" y="24">{name}</text>')
    for index, cell in enumerate(cells):
        y = TOP + ROW * index
        parts.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(cell.scenario)}, n={cell.n}</text>')
        x = float(LEFT)
        for name, colour in PARTS:
            width = BAR * getattr(cell, name) / cell.rounds
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 6}" fill="{colour}"/>')
            x += width
        parts.append(f'<text x="{LEFT + BAR + 8}" y="{y + 13}">{100 * cell.failed / cell.rounds:.1f} % failed</text>')
    return "\n".join([*parts, "</svg>", ""])
