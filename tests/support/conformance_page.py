#!/usr/bin/env python3
"""Every test that docs/conformance.md names exists."""
import glob
import os
import re
import sys


def existing():
    names = {os.path.basename(path) for path in glob.glob("tests/replay/*.replay") + glob.glob("tests/wire/*.py")
             + glob.glob("tests/*.c") + glob.glob("tests/search/*")}
    for path in glob.glob("schemas/*/examples/*/*.xml"):
        folder, _, _, name = path.split(os.sep)[1:]
        names.add(f"{folder}/{name}")
    for path in glob.glob("tests/**/*.c", recursive=True):
        names.update(re.findall(r"^static void (\w+)\(void \*\*", open(path, encoding="utf-8").read(), re.M))
    for path in glob.glob("tests/cases/**/*.case", recursive=True):
        names.update(re.findall(r"^case: (.*)$", open(path, encoding="utf-8").read(), re.M))
    return names


def named():
    for line in open("docs/conformance.md", encoding="utf-8"):
        cells = line.strip().strip("|").split("|")
        if line.startswith("| ") and len(cells) == 3 and "shown by" not in cells[2] and "---" not in cells[2]:
            yield from ((cells[0].strip(), name) for name in re.findall(r"`([^`]+)`", cells[2]))


tests = existing()
rows = list(named())
missing = [f"{clause}: no test '{name}'" for clause, name in rows if name not in tests]
print("\n".join(missing) or f"{len(rows)} names, all there")
sys.exit(1 if missing or not rows else 0)
