"""A Kamailio of the Debian package with one of the configurations in docs/examples/kamailio, on ports of the test."""
import os
import shutil
import subprocess
import time

import harness


def database(system, users=()):
    """The tables that the examples use, of the package, with these users in them."""
    folder = system.path("dbtext")
    os.mkdir(folder)
    for table in ("version", "subscriber", "presentity", "active_watchers", "watchers", "pua"):
        shutil.copy(f"/usr/share/kamailio/dbtext/kamailio/{table}", folder)
    with open(os.path.join(folder, "subscriber"), "a", encoding="ascii") as file:
        file.writelines(f"{number}:{user}:example.com:{user}:-:-\n" for number, user in enumerate(users, 1))
    return f"text://{folder}"


class Kamailio:
    def __init__(self, system, example, port, replacements):
        """`replacements`: what stands in the example, and what it is here."""
        self.port = port
        with open(os.path.join(harness.SOURCE, "docs/examples/kamailio", example), encoding="utf-8") as file:
            text = file.read()
        for ours, theirs in replacements:
            assert ours in text, ours
            text = text.replace(ours, theirs)
        config = system.path(example)
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        self.log_path = system.path(f"{example}.log")
        self.log = open(self.log_path, "wb")
        program = shutil.which("kamailio") or "/usr/sbin/kamailio"
        self.process = subprocess.Popen(
            [program, "-DD", "-E", "-f", config, "-Y", system.folder, "-P", system.path(f"{example}.pid"), "-m", "32",
             "-M", "8"], stdout=self.log, stderr=self.log, start_new_session=True)
        self.wait_until_there()

    def wait_until_there(self):
        for _ in range(600):
            assert self.process.poll() is None, self.tail()
            if any(f":{self.port:04X} " in line for line in open("/proc/net/udp", encoding="ascii")):
                time.sleep(0.5)  # bound before its children read: what comes meanwhile waits in the socket
                return
            time.sleep(0.1)
        raise AssertionError(f"Kamailio does not listen: {self.tail()}")

    def tail(self):
        return open(self.log_path, errors="replace").read()[-4000:]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
