#!/usr/bin/env python3
"""docs/settings.md is what the programs print. Arguments: the build folder, and --write to write the page anew."""
import subprocess
import sys

PAGE = "docs/settings.md"
HEAD = """# Settings

Every setting has a default that works on one machine. They are read in this order, later ones win: defaults, the file given
with `--config FILE`, then options on the command line (`--set NAME=VALUE` for any of them). The file is YAML: a section is
what stands before the dot in a name.

```yaml
listen:
  http: "0.0.0.0:8080"
store:
  folder: "/var/lib/xdm"
```

`--check` looks at all that a start looks at before it makes or opens anything: names and ranges, lists and other values,
addresses to listen at (are they of this machine, may this user have the port), certificates and keys, document services, the data
folder. What is wrong is said in one line that names the setting, and the exit code is 1; a start ends in the same way. It may be
run beside the running program. `--dump-defaults` and `--dump-effective` print settings as such a file. This page is printed by
`xdms --document-settings` and `im-glue --document-settings`.
"""


def page(build):
    parts = [HEAD]
    for program in ("xdms", "im-glue"):
        done = subprocess.run([f"{build}/{program}", "--document-settings"], capture_output=True, text=True, check=True)
        parts.append(done.stdout if done.stdout.startswith("#") else f"## {program}\n\n{done.stdout}")
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def main():
    wanted = page(sys.argv[1])
    if "--write" in sys.argv:
        open(PAGE, "w", encoding="utf-8").write(wanted)
    elif open(PAGE, encoding="utf-8").read() != wanted:
        sys.exit(f"{PAGE} differs from the programs: python3 tests/support/settings_page.py {sys.argv[1]} --write")
    print("good")


main()
