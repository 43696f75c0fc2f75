"""MESSAGE over SIP: one to one, to groups, to users who are away and what waits for them, and more than the server can
take; im-glue beside Kamailio. The figure compared is the server's CPU time per message that arrived (stored, for users
who are away): unlike the rate it does not depend on the load generator, which shares the machine."""
import json
import os
import subprocess
import time

import bench_sip_overload
import bench_sip_servers

SECONDS = 1.5  # of one measurement: there are many
SENDERS, RECEIVERS = 100, 1000
GROUP_SIZES = [10, 100, 1000]
GROUPS = 10
AWAY = 500  # users who are away, others in each round
SETTLE_SECONDS = 0.3  # what a server still does after its last answer counts too


class Load:
    """The load generator, between "ready" and the end of its run."""

    def __init__(self, bench, server, senders, receivers, *options, processors=None):
        command = [bench.program("sip_load"), "-p", str(server.port), "-s", senders, "-r", receivers, *options]
        self.server, self.process = server, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                             stderr=subprocess.PIPE, text=True)
        if processors:
            os.sched_setaffinity(self.process.pid, processors)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{' '.join(command)}\n{self.process.stderr.read()}\n{server.name}: {server.tail()}")

    def run(self):
        before = self.server.cpu_seconds()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.stderr.read()}\n{self.server.name}: {self.server.tail()}")
        figures = json.loads(line)
        time.sleep(SETTLE_SECONDS)
        done = figures["done"]
        figures["cpu_us"] = (self.server.cpu_seconds() - before) * 1e6 / done if done else 0
        self.process.communicate("\n", timeout=300)
        return figures


def measure(bench, server, senders, receivers, *options, seconds=None, processors=None):
    seconds = bench.seconds if seconds is None else seconds
    return Load(bench, server, senders, receivers, "-t", str(seconds), *options, processors=processors).run()


class Run:
    def __init__(self, bench):
        self.bench = bench
        self.receivers = 100 if bench.quick else RECEIVERS
        self.away = 20 if bench.quick else AWAY
        self.users = SENDERS + self.receivers
        sizes = [size for size in GROUP_SIZES if size <= self.receivers]
        self.groups = [bench_sip_servers.Groups(size, GROUPS, SENDERS, self.receivers) for size in sizes]
        self.servers = [bench_sip_servers.glue(bench, self.users + self.away * bench.rounds, self.groups)]
        if not bench.quick:
            self.servers.append(bench_sip_servers.kamailio(bench, self.groups))
        self.senders, self.present = f"0+{SENDERS}", f"{SENDERS}+{self.receivers}"

    def take(self, case, server, *arguments, **options):
        if self.bench.only in case:
            self.keep(case, server, measure(self.bench, server, *arguments, **options))

    def keep(self, case, server, figures):
        self.bench.sample(case, server.name, {name: figures[name] for name in (
            "per_second", "p50_us", "p99_us", "cpu_us", "lost", "unanswered", "refused", "polite", "statuses")})

    def relay(self, server):
        for case, options in RELAYS.items():
            self.take(case, server, self.senders, self.present, "-w", "100", *options)

    def to_groups(self, server):
        for groups in self.groups:
            window = max(1, min(GROUPS, 1000 // groups.size))
            self.take(f"group of {groups.size:,}", server, f"0+{GROUPS}", self.present, "-g", str(GROUPS), "-G",
                      f"g{groups.size}", "-d", str(groups.size - 1), "-w", str(window))

    def to_absent(self, server, number):
        stored = "stored, recipient away"
        if self.bench.only not in stored:
            return
        away = f"{self.users + number * self.away}+{self.away}"
        kept = measure(self.bench, server, self.senders, away, "-n", "-d", "0", "-w", "100")
        self.keep(stored, server, kept)
        self.keep("delivered when they register", server,
                  measure(self.bench, server, "0+1", away, "-c", str(kept["done"]), seconds=0))

    def overload(self, server):
        if self.bench.only not in bench_sip_overload.LIMIT:
            return
        seconds = 2 * self.bench.seconds  # what a crowd does takes a while to show

        def one(*options, processors):
            return measure(self.bench, server, self.senders, self.present, *options, seconds=seconds, processors=processors)
        bench_sip_overload.take(self.bench, server, one, seconds)


RELAYS = {
    "UDP, digest": [],
    "TCP, digest": ["-T", "-e", "200"],
    "UDP, asserted": ["-a"],
    "TCP, asserted": ["-a", "-T", "-e", "200"],
}


def run(bench):
    bench.unit = "cpu_us"
    one = Run(bench)
    for number in range(bench.rounds):
        for server in one.servers:
            one.relay(server)
            one.to_groups(server)
            one.to_absent(server, number)
    for _ in range(bench.rounds):
        for server in one.servers:
            one.overload(server)
    goals(bench)


def goals(bench):
    def share(case):
        ratio = bench.ratio(case, "im-glue", "kamailio")
        return 1 / ratio if ratio else None
    for case in RELAYS:
        bench.goal(f"CPU of Kamailio's: {case}", share(case), most=0.5)
    for size in GROUP_SIZES:
        bench.goal(f"CPU of imc's: group of {size:,}", share(f"group of {size:,}"), most=0.25)
    bench.goal("CPU of msilo's: store", share("stored, recipient away"), most=0.2)
    bench.goal("CPU of msilo's: delivery", share("delivered when they register"), most=0.1)
    bench_sip_overload.goals(bench)
