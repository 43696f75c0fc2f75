"""Bars of a bench's data as SVG: one group per case, one bar for each one compared, relative to the best of its case."""
from html import escape

import bench_table

COLOURS = ["#2f6f9f", "#9fb8c8", "#c9a24b", "#b0574f", "#7a9a5b", "#84709b"]
BAR, GAP, LEFT, WIDTH, RIGHT = 14, 12, 300, 520, 130


def bars(data):
    unit = data["unit"]
    smaller_is_better = bench_table.smaller_is_better(unit)
    everybody = []
    for case in data["cases"]:
        everybody += [who for who in case["figures"] if who not in everybody]
    parts, y = [], 64
    for case in data["cases"]:
        values = {who: figures.get(unit) for who, figures in case["figures"].items() if figures.get(unit)}
        if not values:
            continue
        most = max(values.values())
        parts.append(f'<text x="{LEFT - 8}" y="{y + BAR * len(values) / 2 + 4}" text-anchor="end">'
                     f'{escape(case["case"])}</text>')
        for who, value in values.items():
            width = max(1, WIDTH * value / most)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" '
                         f'fill="{COLOURS[everybody.index(who) % len(COLOURS)]}"><title>{escape(who)}</title></rect>'
                         f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 4}">{value:,.0f}</text>')
            y += BAR
        y += GAP
    legend, x = [], LEFT
    for index, who in enumerate(everybody):
        legend.append(f'<rect x="{x}" y="34" width="11" height="11" fill="{COLOURS[index % len(COLOURS)]}"/>'
                      f'<text x="{x + 16}" y="44">{escape(who)}</text>')
        x += 34 + 7 * len(who)
    label = "µs, shorter is better" if smaller_is_better else "per second, longer is better"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(LEFT + WIDTH + RIGHT, x)}" height="{y + 10}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            f'<text x="{LEFT}" y="22" font-size="15">{escape(data["bench"])}: {label} '
            f'(bars relative to the best of each case)</text>{"".join(legend)}{"".join(parts)}</svg>\n')
