#!/usr/bin/env python3
"""./dev run as a stranger uses it: it starts both programs, also with TLS in a folder that was not there, a taken port
is one line, Ctrl-C stops both cleanly, and a second start keeps the data. Builds the release preset."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import harness

START_SECONDS = 300  # the first start builds


def free_ports(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Run:
    """One ./dev run in a session of its own, so that Ctrl-C reaches it as from a terminal."""

    def __init__(self, folder, ports, *more):
        self.output = open(os.path.join(folder, "output"), "wb+")
        options = [word for name, port in ports.items() for word in (f"--{name}", f"127.0.0.1:{port}")]
        self.process = subprocess.Popen(["./dev", "run", "--dir", os.path.join(folder, "var"), *options, *more],
                                        cwd=harness.SOURCE, stdout=self.output, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, start_new_session=True)

    def text(self):
        return open(self.output.name, errors="replace").read()

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while "commands to try" not in self.text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()[-3000:]
            time.sleep(0.1)

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(timeout=60)
        assert code == 0, f"{code}: {self.text()[-3000:]}"
        assert self.text().count("stopping") == 2, self.text()[-3000:]


def curl(user, port, *arguments, scheme="http"):
    url = f"{scheme}://127.0.0.1:{port}/xcap-root/org.openmobilealliance.groups/users/sip:{user}@example.com/team"
    return subprocess.run(["curl", "-s", "--digest", "-u", f"{user}:{user}", "-w", "%{http_code}", *arguments, url],
                          capture_output=True, text=True, cwd=harness.SOURCE).stdout


def get(url):
    return subprocess.run(["curl", "-s", url], capture_output=True, text=True).stdout


def stranger(folder):
    ports = dict(zip(("http", "management", "admin", "sip", "ws", "sip-management"), free_ports(6)))
    encrypted = dict(zip(("https", "sips", "wss"), free_ports(3)))
    run = Run(folder, ports | encrypted, "--tls")
    run.wait_ready()
    assert re.search(rf"http://127.0.0.1:{ports['http']}/xcap-root/", run.text())
    for port in (ports["management"], ports["sip-management"]):
        assert f"http://127.0.0.1:{port}/metrics" in run.text() and get(f"http://127.0.0.1:{port}/readyz") == "ok\n"
    assert f"ws://127.0.0.1:{ports['ws']}/" in run.text()
    assert curl("alice", ports["http"], "-T", "docs/examples/team.xml", "-H",
                "Content-Type: application/vnd.oma.poc.groups+xml") == "201"

    for taken in ports: # each port is one that the first run has
        other = dict(zip(ports, free_ports(len(ports))))
        other[taken] = ports[taken]
        second = Run(tempfile.mkdtemp(dir=folder), other)
        assert second.process.wait(timeout=START_SECONDS) == 1
        lines = [line for line in second.text().splitlines() if "already in use" in line]
        assert len(lines) == 1 and str(ports[taken]) in lines[0], second.text()

    assert curl("alice", encrypted["https"], "--cacert", os.path.join(harness.SOURCE, "build/tls/server.crt"),
                scheme="https").endswith("200")
    run.interrupt()
    again = Run(folder, ports)
    again.wait_ready()
    assert curl("alice", ports["http"]).endswith("200")
    again.interrupt()


scratch = tempfile.mkdtemp(prefix="xdm-dev-")
try:
    stranger(scratch)
finally:
    shutil.rmtree(scratch)
print("good")
sys.exit(0)
