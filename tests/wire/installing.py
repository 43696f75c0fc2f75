#!/usr/bin/env python3
"""What cmake --install puts in place runs from there, and the units of docs/examples/systemd call it by options it has."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness

build, folder = sys.argv[1], tempfile.mkdtemp(prefix="xdm-install-")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def started(name, *options):
    program = harness.Program([os.path.join(folder, "bin", name), "--data", os.path.join(folder, "data"), "--schemas",
                               os.path.join(folder, "share/xdm/schemas"), *options], os.path.join(folder, name + ".log"))
    program.stop()
    program.kill()


try:
    run("cmake", "--install", build, "--prefix", folder)
    started("xdms", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--management", "127.0.0.1:0")
    started("im-glue", "--sip", "127.0.0.1:0")
    assert run(os.path.join(folder, "bin/xdmctl"), "--version").startswith("xdmctl ")

    settings = os.path.join(folder, "settings.yaml")
    with open(settings, "w", encoding="utf-8") as file:
        file.write('identity:\n  domain: "example.com"\n')
    units = glob.glob(os.path.join(harness.SOURCE, "docs/examples/systemd/*.service"))
    assert len(units) == 2
    for unit in units:
        with open(unit, encoding="utf-8") as file:
            program, options = re.search(r"^ExecStart=/usr/bin/(\S+) (.*)$", file.read(), re.M).groups()
        words = [settings if word.startswith("/etc/xdm/") else word for word in options.split()]
        assert "good" in run(os.path.join(folder, "bin", program), *words, "--data", os.path.join(folder, "data"), "--schemas",
                             os.path.join(folder, "share/xdm/schemas"), "--check")
finally:
    shutil.rmtree(folder)
print("good")
