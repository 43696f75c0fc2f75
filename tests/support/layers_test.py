#!/usr/bin/env python3
"""An undeclared include does not compile. Takes the real compile command of one file of each module and compiles, with
it, a file that includes one header of each other module: those that CMakeLists.txt declares must work, others must not.
Argument: the build folder."""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile


def declared():
    """Module name -> (DEPENDS, USES), read from the module() lines."""
    text = open("CMakeLists.txt", encoding="utf-8").read()
    modules = {}
    for path, rest in re.findall(r"^module\((\S+)([^)]*)\)", text, re.M):
        groups = {"DEPENDS": [], "USES": [], "LIBRARIES": [], "TEST_USES": []}
        current = None
        for word in rest.split():
            if word in groups:
                current = groups[word]
            else:
                current.append(word)
        modules[os.path.basename(path)] = (path, groups["DEPENDS"], groups["USES"])
    return modules


def closure(modules, names):
    seen = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += modules[name][1]
    return seen


def compiles(command, directory, header):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as probe:
        probe.write(f'#include "{header}"\nint probe(void);\nint probe(void)\n{{\n    return 0;\n}}\n')
        probe.flush()
        arguments = [probe.name if argument.endswith(".c") else argument for argument in command]
        for option in ("-o", "-MF", "-MT"):
            if option in arguments:
                arguments[arguments.index(option) + 1] = os.devnull
        arguments = [argument for argument in arguments if argument not in ("-MD", "-c")] + ["-fsyntax-only"]
        return subprocess.run(arguments, cwd=directory, capture_output=True).returncode == 0


def main(build):
    modules = declared()
    entries = json.load(open(os.path.join(build, "compile_commands.json"), encoding="utf-8"))
    failures = checked = 0
    for name, (path, depends, uses) in modules.items():
        allowed = closure(modules, [name] + depends + uses)
        entry = next(e for e in entries if os.path.relpath(e["file"]).startswith(path + "/"))
        command = shlex.split(entry["command"])
        for other in modules:
            headers = sorted(os.listdir(f"include/{other}"))
            works = compiles(command, entry["directory"], headers[0])
            checked += 1
            if works != (other in allowed):
                print(f"{name} {'sees' if works else 'does not see'} {other}/{headers[0]}")
                failures += 1
    order = list(modules)
    for name, (path, depends, uses) in modules.items():
        for other in depends + uses:
            if order.index(other) >= order.index(name):
                print(f"{name} names {other}, which stands above it")
                failures += 1
    print(f"{checked} includes tried, {failures} wrong")
    return 1 if failures or not checked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
