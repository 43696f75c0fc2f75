"""Servers that are measured, each on a free loopback port with its files in the bench's scratch folder, and the load
generator that asks them. All that is started here is stopped by its process id at the end of the bench."""
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time

from bench_run import SOURCE

START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")
REALM = "example.com"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, what):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError(f"{what} does not listen on {port}")


class Server:
    """A process (with its children) that listens on `port`."""
    md5 = False  # which digest algorithm it is asked with
    headers = ""

    def __init__(self, bench, name, command, **options):
        self.bench, self.name = bench, name
        self.log_path = bench.path(f"{name}.log")
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(command, stderr=self.log, cwd=SOURCE, start_new_session=True, **options)
        bench.at_end(self.stop)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # its own session: nobody else is in it
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.log.close()

    def tail(self):
        return open(self.log_path, errors="replace").read()[-2000:]

    def pids(self):
        """The process and all its children that run."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    waiting += map(int, open(f"/proc/{pid}/task/{thread}/children").read().split())
                found.append(pid)
            except OSError:
                pass
        return found

    def cpu_seconds(self):
        """Of the process and all its children."""
        total = 0
        for pid in self.pids():
            try:
                fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / TICKS


class Ready(Server):
    """One of our programs: says its ports in its first line."""

    def __init__(self, bench, name, command, first="http"):
        super().__init__(bench, name, command, stdout=subprocess.PIPE)
        line = ""
        if select.select([self.process.stdout], [], [], START_SECONDS)[0]:
            line = self.process.stdout.readline().decode()
        self.ports = {word.partition("=")[0]: int(word.rpartition(":")[2]) for word in line.split()[2:] if ":" in word}
        if not self.ports:
            raise RuntimeError(f"{name} did not start: {self.tail()}")
        self.port = self.ports[first]


def counted(profile):
    """The beginning of a command that callgrind counts, once it is told to."""
    return ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={profile}"] if profile else []


def xdms(bench, users, profile=None):
    """xdms with users u0, u1, …, each with its name as password. Under callgrind, if it is to write a profile."""
    small = ["--set", "store.map-mib=256"] if profile else []  # valgrind gives no larger map
    server = Ready(bench, "xdms", counted(profile) + [bench.program("xdms"), "--data", bench.path("xdms-data", ""), "--schemas", "schemas",
                                   "--http", "127.0.0.1:0", "--management", "127.0.0.1:0", "--admin", "127.0.0.1:0"] + small)
    for user in range(users):
        subprocess.run([bench.program("xdmctl"), "--admin", f"127.0.0.1:{server.ports['admin']}", "user", "add",
                        f"u{user}", f"u{user}"], check=True, capture_output=True, timeout=60)
    return server


def bare_http(bench, size, profile=None):
    return Ready(bench, "bare MHD", counted(profile) + [bench.program("bare_http"), str(size)])


def bare_store(bench):
    return Ready(bench, "bare MHD+LMDB", [bench.program("bare_store"), bench.path("bare-data", "")])


def nginx(bench, paths, body):
    """nginx serving `body` as a file at each of `paths`."""
    root, port = bench.path("nginx", "root", ""), free_port()
    for path in paths:
        file = os.path.join(root, path.lstrip("/"))
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as out:
            out.write(body)
    for folder, _, files in os.walk(root):
        os.chmod(folder, 0o755)
    os.chmod(bench.folder, 0o755)  # its workers may run as another user
    config = bench.path("nginx", "nginx.conf")
    with open(config, "w") as out:
        out.write(f"""worker_processes auto; daemon off; pid {bench.path('nginx', 'pid')}; error_log stderr error;
            events {{ worker_connections 4096; }}
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=10000;
                    client_body_temp_path {bench.path('nginx', 'b')}; proxy_temp_path {bench.path('nginx', 'p')};
                    fastcgi_temp_path {bench.path('nginx', 'f')}; uwsgi_temp_path {bench.path('nginx', 'u')};
                    scgi_temp_path {bench.path('nginx', 's')};
                    server {{ listen 127.0.0.1:{port}; root {root}; }} }}""")
    server = Server(bench, "nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-p", bench.path("nginx", ""), "-c",
                                     config])
    server.port = port
    wait_for_port(port, server.process, "nginx")
    return server


def load(bench, server, target, connections, *, method="GET", seconds=None, users=None, documents=8, body=None,
         content_type="", conditional=False):
    """Asks for `target` for some seconds; the figures of the load generator and the server's CPU time per answer."""
    seconds = bench.seconds if seconds is None else seconds
    command = [bench.program("load"), "-p", str(server.port), "-c", str(connections), "-u", str(users or connections),
               "-d", str(documents), "-s", str(seconds), "-w", str(min(0.5, seconds / 4)), "-m", method, "-t", target,
               "-r", REALM, "-H", server.headers]
    if body:
        command += ["-b", body, "-T", content_type]
    command += ["-n"] * conditional + ["-5"] * server.md5
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 300)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}\n{server.name}: {server.tail()}")
    figures = json.loads(done.stdout)
    total = figures["all_answers"]
    figures["cpu_us"] = (server.cpu_seconds() - before) * 1e6 / total if total else 0
    return {name: figures[name] for name in ("per_second", "p50_us", "p99_us", "cpu_us", "statuses", "all_answers")}
