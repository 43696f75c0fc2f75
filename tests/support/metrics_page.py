#!/usr/bin/env python3
"""The tables of metrics in docs/operations.md name every series that the code has, and no other."""
import pathlib
import re
import sys

NAME = r"(?:xdms|xdm|im)_[a-z_]+"

code = set()
for folder in ("xdms", "im-glue"):
    for file in pathlib.Path(folder).rglob("*.c"):
        code |= set(re.findall(f'"({NAME})"', file.read_text(encoding="utf-8")))
page = pathlib.Path("docs/operations.md").read_text(encoding="utf-8").split("\n## Metrics\n")[1].split("\n## ")[0]
told = {name for row in page.splitlines() if row.startswith("| `") for name in re.findall(f"`({NAME})`", row.split("|")[1])}
wrong = [f"not in docs/operations.md: {name}" for name in sorted(code - told)]
wrong += [f"in docs/operations.md alone: {name}" for name in sorted(told - code)]
print("\n".join(wrong) or f"{len(code)} series")
sys.exit(1 if wrong or not code else 0)
