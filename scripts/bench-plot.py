#!/usr/bin/python3
"""Draws the factors of scripts/bench.sh: bench-plot.py RESULTS.json >PLOT.svg

One line a row: Ouroboros against its rival with the 95 % interval, and the A/A control in grey under it. The axis is
logarithmic: twice as good and half as good are equally far from 1.
"""

import json
import math
import sys
from html import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 1000, 290, 250, 60, 34
PLOT = WIDTH - LEFT - RIGHT
RIVALS = ("af_unix", "tls", "tls-connect")
SUBJECT, CONTROL, FRAME = "#1660a8", "#9a9a9a", "#dddddd"


def read_rows(path):
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return [r for r in rows if r.get("factor")]


def decades(rows):
    """The powers of ten that hold every interval."""
    ends = [r[k][e] for r in rows for k in ("factor", "control_factor") if r[k] for e in ("low", "high")]
    return math.floor(math.log10(min(ends + [0.5]))), math.ceil(math.log10(max(ends + [2])))


def human(v):
    for limit, suffix in ((1e6, " M"), (1e3, " k")):
        if v >= limit:
            return f"{v / limit:.3g}{suffix}"
    return f"{v:.3g}"


class Plot:
    def __init__(self, rows):
        self.rows = rows
        self.low, self.high = decades(rows)
        self.height = TOP + ROW * len(rows) + 20
        self.out = []

    def x(self, factor):
        return LEFT + PLOT * (math.log10(factor) - self.low) / (self.high - self.low)

    def line(self, x1, y1, x2, y2, colour, width):
        self.out.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
        )

    def text(self, x, y, text, anchor="start"):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def mark(self, estimate, y, colour):
        if not estimate:
            return
        self.line(self.x(estimate["low"]), y, self.x(estimate["high"]), y, colour, 3)
        self.out.append(f'<circle cx="{self.x(estimate["median"]):.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')

    def axis(self):
        bottom = self.height - 20
        for power in range(self.low, self.high + 1):
            for digit in range(1, 10 if power < self.high else 2):
                x = self.x(digit * 10**power)
                self.line(x, TOP - 8, x, bottom, FRAME if digit > 1 else "#aaaaaa", 0.7)
            self.text(self.x(10**power), TOP - 14, f"{10**power:g} ×", "middle")
        self.line(self.x(1), TOP - 8, self.x(1), bottom, "#333333", 1.5)

    def row(self, i, r):
        y = TOP + ROW * i + ROW / 2
        what = ", ".join(filter(None, (r["title"], r.get("suite"), f'{r["cores"]} core{"s" if r["cores"] > 1 else ""}')))
        self.text(LEFT - 12, y + 4, what, "end")
        self.mark(r["control_factor"], y + 6, CONTROL)
        self.mark(r["factor"], y - 5, SUBJECT)
        values = " : ".join(human(r[lane]["median"]) for lane in ("ouroboros", *RIVALS) if lane in r)
        self.text(WIDTH - RIGHT + 12, y + 4, f'{r["factor"]["median"]:.3g} ×   ({values} {r["unit"]})')

    def svg(self):
        self.axis()
        self.text(LEFT, 22, "Flows of Ouroboros, in times the other (right is better; grey: the other twice)")
        for i, r in enumerate(self.rows):
            self.row(i, r)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}" '
            f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(self.out)
            + "\n</svg>"
        )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = read_rows(sys.argv[1])
    if not rows:
        sys.exit(f"{sys.argv[1]} holds no comparison")
    print(Plot(rows).svg())


if __name__ == "__main__":
    main()
