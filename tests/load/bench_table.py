#!/usr/bin/env python3
"""Tables of a bench's data: as text for a terminal, as Markdown for docs/performance.md.

    bench_table.py results/bench/http/data.json      prints Markdown"""
import json
import sys

HEADINGS = {"per_second": "per second", "offered": "offered per second", "p50_us": "p50 µs", "p99_us": "p99 µs", "cpu_us": "server CPU µs",
            "batch": "commits per fsync", "us": "µs", "seconds": "seconds", "ms": "ms", "mb": "MB",
            "kb": "kB", "written_kb": "written kB", "read_us": "read CPU µs", "file_to_text": "file to text",
            "bytes": "bytes", "polite": "503 with Retry-After", "refused": "other refusals", "unanswered": "no answer",
            "lost": "accepted, lost", "instructions": "instructions", "clearing_instructions": "clearing memory",
            "hashing_instructions": "hashing", "other_instructions": "all else"}


def smaller_is_better(unit):
    return unit.endswith(("us", "instructions"))


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def rows(data):
    """Heading and rows; the ratio is that of the first of each case to the others."""
    columns = []
    for case in data["cases"]:
        for figures in case["figures"].values():
            columns += [name for name in figures if name in HEADINGS and name not in columns]
    yield ["case", "who"] + [HEADINGS[name] for name in columns] + ["ratio to it"]
    for case in data["cases"]:
        label = case["case"]
        for who, figures in case["figures"].items():
            yield [label, who] + [number(figures.get(name)) for name in columns] + [number(case["ratios"].get(who))]
            label = ""


def goal_lines(data):
    for goal in data["goals"]:
        limit = f"at least {goal['least']}" if goal["least"] is not None else f"at most {goal['most']}"
        state = "not measured" if goal["met"] is None else "met" if goal["met"] else "MISSED"
        yield [goal["text"], limit, number(goal["ratio"]), state]


def setting(data):
    machine = data["machine"]
    return (f"{data['when']}, {machine['cores']} cores of {machine['processor']}, Linux {machine['kernel']}, "
            f"load before {machine['load_before']:.1f}; median of {data['rounds']} rounds of {data['seconds']} s each"
            + (" (quick: the figures mean nothing)" if data["quick"] else ""))


def aligned(lines):
    lines = list(lines)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))] if lines else []
    for line in lines:
        yield "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))).rstrip()


def text(data):
    parts = [setting(data), ""] + list(aligned(rows(data)))
    if data["goals"]:
        parts += [""] + list(aligned([["goal", "", "ratio", "state"]] + list(goal_lines(data))))
    return "\n".join(parts + [""] + data["notes"]) + "\n"


def markdown(data):
    def table(lines):
        lines = list(lines)
        yield "| " + " | ".join(lines[0]) + " |"
        yield "| " + " | ".join("---" if i < 2 else "---:" for i in range(len(lines[0]))) + " |"
        for line in lines[1:]:
            yield "| " + " | ".join(line) + " |"
    parts = [setting(data) + ".", ""] + list(table(rows(data)))
    if data["goals"]:
        parts += [""] + list(table([["goal", "limit", "ratio", "state"]] + list(goal_lines(data))))
    return "\n".join(parts + [""] + data["notes"]) + "\n"


if __name__ == "__main__":
    print(markdown(json.load(open(sys.argv[1]))), end="")
