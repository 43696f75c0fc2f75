"""Starts the real programs on free loopback ports with a scratch folder, and speaks to them through programs that are not
ours (curl, sipp) or raw sockets."""
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GROUPS = "org.openmobilealliance.groups"
RULES = "org.openmobilealliance.im-rules"
START_SECONDS = 60  # sanitizer builds on a busy machine
FREE = "127.0.0.1:0"  # a port that the program chooses
GROUP_XML = """<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:cp="urn:ietf:params:xml:ns:common-policy">
  <list-service uri="{uri}">
    <display-name>The team</display-name>
    <list>{entries}</list>
    <cp:ruleset><cp:rule id="members"><cp:conditions><is-list-member/></cp:conditions>
      <cp:actions><join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>
  </list-service>
</group>
"""


def group_xml(uri, members):
    return GROUP_XML.format(uri=uri, entries="".join(f'<entry uri="sip:{m}@example.com"/>' for m in members))


def free_port():
    """For UDP and TCP, for a program that cannot choose one by itself."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]
            except OSError:
                continue


class Program:
    """One daemon: its process, and the addresses of its ready line."""

    def __init__(self, arguments, log_path, environment=None):
        self.log_path = log_path
        self.log = open(log_path, "ab")
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log, cwd=SOURCE,
                                        env={**os.environ, **(environment or {})})
        self.addresses = {}
        line = self.read_line()
        for word in line.split()[2:]:
            name, _, address = word.partition("=")
            host, _, port = address.rpartition(":")
            self.addresses[name] = (host, int(port))
        if not self.addresses:
            self.kill()
            raise AssertionError(f"{arguments[0]} did not start: {self.tail()}")

    def read_line(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                return self.process.stdout.readline().decode()
            if self.process.poll() is not None:
                return ""
        return ""

    def tail(self):
        return open(self.log_path, errors="replace").read()[-3000:]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert code == 0, f"exit code {code}: {self.tail()}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


def settings(*assignments):
    return [word for assignment in assignments for word in ("--set", assignment)]


def sips(certificate, *assignments):
    """Options of im-glue: SIP over TLS on a free port."""
    return ["--sips", FREE, *settings(f"tls.certificate={certificate.crt}", f"tls.key={certificate.key}", *assignments)]


def start_xdms(build, data, log_path, *options, schemas="schemas", http=FREE, management=FREE, admin=FREE, environment=None):
    return Program([os.path.join(build, "xdms"), "--data", data, "--schemas", schemas, "--http", http, "--management",
                    management, "--admin", admin, *options], log_path, environment)


def start_glue(build, data, log_path, *options, schemas="schemas", sip=FREE, environment=None):
    return Program([os.path.join(build, "im-glue"), "--data", data, "--schemas", schemas, "--sip", sip, *options], log_path,
                   environment)


class System:
    """xdms and im-glue on one data folder."""

    def __init__(self, build, users=("alice", "bob", "carol", "dave"), xdms_options=(), faulty_disk=False,
                 folder=None, glue_options=()):
        self.build = build
        self.xdms_options = xdms_options
        self.glue_options = glue_options
        self.faulty_disk = faulty_disk
        self.folder = folder or tempfile.mkdtemp(prefix="xdm-wire-")
        self.xdms = self.glue = None
        self.ports = {"http": 0, "management": 0, "admin": 0, "sip": 0}
        self.start()
        for user in users:
            self.ctl("user", "add", user, user)

    def start(self):
        """The second time on the same ports, as after a crash."""
        ports = self.ports
        listen = {name: f"127.0.0.1:{ports[name]}" for name in ("http", "management", "admin")}
        self.xdms = start_xdms(self.build, self.path("data"), self.path("xdms.log"), *self.xdms_options, **listen,
                               environment=self.disk())
        self.start_glue()
        for name, (_, port) in self.xdms.addresses.items():
            ports[name] = port

    def start_glue(self):
        self.glue = start_glue(self.build, self.path("data"), self.path("im-glue.log"), *self.glue_options,
                               sip=f"127.0.0.1:{self.ports['sip']}", environment=self.disk())
        for name, (_, port) in self.glue.addresses.items():
            self.ports[name] = port

    def disk(self):
        """What puts the disk of tests/support/disk_shim.c under a program."""
        if not self.faulty_disk:
            return None
        sanitizers = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return {"LD_PRELOAD": os.path.abspath(os.path.join(self.build, "disk_shim.so")),
                "XDM_DISK_CONTROL": self.path("disk"), "ASAN_OPTIONS": sanitizers.lstrip(":")}

    def fail_disk(self, *faults):
        """Each: call (write, meta, sync), the first that fails, how many (0: all), errno, wait in microseconds."""
        with open(self.path("disk.new"), "w", encoding="ascii") as control:
            control.writelines(" ".join(map(str, fault)) + "\n" for fault in faults)
        os.rename(self.path("disk.new"), self.path("disk"))

    def metric(self, series):
        """Value of one series of xdms."""
        _, text = self.curl("GET", f"http://127.0.0.1:{self.ports['management']}/metrics")
        return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.rpartition(" ")[0] == series))

    def path(self, name):
        return os.path.join(self.folder, name)

    def stop(self):
        self.glue.stop()
        self.xdms.stop()

    def kill(self):
        for program in (self.glue, self.xdms):
            if program:
                program.kill()

    def close(self, keep=False):
        self.kill()
        if not keep:
            shutil.rmtree(self.folder)

    def run_ctl(self, *arguments):
        return subprocess.run([os.path.join(self.build, "xdmctl"), "--admin", f"127.0.0.1:{self.ports['admin']}",
                               *arguments], capture_output=True, text=True, timeout=60, check=False)

    def ctl(self, *arguments, check=True):
        done = self.run_ctl(*arguments)
        assert not check or done.returncode == 0, f"xdmctl {arguments}: {done.stderr}"
        return done.stdout

    def url(self, usage, user, name, node=""):
        return (f"http://127.0.0.1:{self.ports['http']}/xcap-root/{usage}/users/sip:{user}@example.com/{name}"
                + (f"/~~/{node}" if node else ""))

    def curl(self, method, url, user=None, body=None, content_type=None, headers=()):
        """Status and body, as curl with digest sees them."""
        arguments = ["curl", "-sS", "-g", "--max-time", "60", "-X", method, "-w", "\n%{http_code}", url]
        if user:
            arguments += ["--digest", "-u", f"{user}:{user}"]
        if body is not None:
            arguments += ["--data-binary", "@-", "-H", f"Content-Type: {content_type}"]
        for header in headers:
            arguments += ["-H", header]
        done = subprocess.run(arguments, input=(body or "").encode(), capture_output=True, timeout=120)
        assert done.returncode == 0, f"curl {url}: {done.stderr.decode()}"
        text, _, status = done.stdout.decode().rpartition("\n")
        return int(status), text

    def sipp(self, scenario, *arguments, port=None, background=False, transport="u1"):
        """Runs a scenario of docs/examples/sipp against im-glue; exit code 0 means it went as written."""
        command = ["sipp", f"127.0.0.1:{self.ports['sip']}", "-sf", os.path.join(SOURCE, "docs/examples/sipp", scenario),
                   "-m", "1", "-i", "127.0.0.1", "-t", transport, "-timeout", "60s", "-timeout_error", "-nostdin",
                   "-trace_err", "-error_file", self.path(f"{scenario}-{time.monotonic_ns()}.err"), *arguments]
        if port:
            command += ["-p", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        if background:
            return process
        code = process.wait(timeout=90)
        assert code == 0, f"sipp {scenario} {arguments}: exit {code}\n{self.sipp_errors()}\n{self.glue.tail()}"
        return process

    def sipp_errors(self):
        return "\n".join(open(os.path.join(self.folder, name), errors="replace").read()[-2000:]
                         for name in sorted(os.listdir(self.folder)) if name.endswith(".err"))


def alone(test):
    """Runs test(build, folder, started), which starts servers of its own and adds them to `started`: each has a `program`.
    Cleans up; keeps the folder when it fails."""
    folder = tempfile.mkdtemp(prefix="xdm-wire-")
    started = []
    try:
        test(sys.argv[1], folder, started)
        for server in started:
            if server.program.process.poll() is None:
                server.program.stop()
            assert "ERROR: " not in server.program.tail(), server.program.tail()
    except BaseException:
        print(f"kept for inspection: {folder}", file=sys.stderr)
        raise
    finally:
        for server in started:
            server.program.kill()
    shutil.rmtree(folder)
    print("good")


SKIPPED = 77  # exit code that ctest takes for it


def main(test, **options):
    """Runs test(system) and cleans up; keeps the folder when it fails."""
    system = None
    try:
        system = System(sys.argv[1], **options)
        test(system)
        system.stop()
        for program in (system.xdms, system.glue):
            log = open(program.log_path, errors="replace").read()
            reports = ("ERROR: ", "runtime error", "WARNING: ThreadSanitizer")
            assert not any(report in log for report in reports), f"sanitizer report:\n{log[-6000:]}"
    except BaseException:
        if system:
            print(f"kept for inspection: {system.folder}", file=sys.stderr)
            for program in (system.xdms, system.glue):
                if program:
                    print(program.tail(), file=sys.stderr)
            system.close(keep=True)
        raise
    system.close()
    print("good")
