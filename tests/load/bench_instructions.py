"""Instructions that the server spends on one answer, counted by callgrind: the same on a machine that is busy with other
things, so that two builds can be compared anywhere. Needs valgrind."""
import glob
import re
import subprocess

import bench_documents
import bench_servers

TARGET = "/xcap-root/resource-lists/users/sip:u{user}@example.com/doc{document}"
TYPE = "application/resource-lists+xml"
# What valgrind counts as it would not run: each byte of a "rep stos", and hashes without the processor's own.
APART = {"clearing": re.compile(r"memset"), "hashing": re.compile(r"sha256_compress")}


def run(bench):
    body = bench.path("body.xml")
    size = bench_documents.write_list(body, 2048)
    put = {"method": "PUT", "body": body, "content_type": TYPE}
    connections = 2 if bench.quick else 16
    bench.unit = "other_instructions"
    server, profile = started(bench, bench_servers.xdms, connections)
    bench_servers.load(bench, server, TARGET, connections, seconds=0, **put)
    for case, options in {"GET 2 KB": {}, "304": {"conditional": True}, "durable PUT 2 KB": put}.items():
        bench.take(case, "xdms", count, bench, server, connections, profile, options)
    server, profile = started(bench, bench_servers.bare_http, size)
    bench.take("GET 2 KB", "bare MHD", count, bench, server, connections, profile, {})


def started(bench, start, argument):
    profile = bench.path(f"callgrind.{start.__name__}")
    return start(bench, argument, profile), profile


def tell(server, *what):
    subprocess.run(["callgrind_control", *what, str(server.process.pid)], check=True, capture_output=True, timeout=60)


def count(bench, server, connections, profile, options):
    load = lambda: bench_servers.load(bench, server, TARGET, connections, **options)
    load()  # what happens once is not counted
    before = set(glob.glob(profile + ".*"))
    tell(server, "-i", "on")
    answers = load()["all_answers"]
    tell(server, "-i", "off")
    tell(server, "-d")  # writes what was counted since the last time, to a file of its own
    costs = by_function(max(set(glob.glob(profile + ".*")) - before))
    total = sum(costs.values()) / answers
    apart = {f"{name}_instructions": sum(cost for function, cost in costs.items() if pattern.search(function)) / answers
             for name, pattern in APART.items()}
    return {"instructions": total, **apart, "other_instructions": total - sum(apart.values())}


def by_function(profile):
    """Cost of each function itself: lines of "position cost", but for those that follow "calls=", which are of callees. A
    name stands where its number is used first."""
    costs, names, function, callee = {}, {}, "", False
    for line in open(profile):
        named = re.match(r"(c?)fn=(\(\d+\)) ?(.*)", line)
        if named:
            name = names.setdefault(named[2], named[3])
            function = function if named[1] else name
        elif line.startswith("calls="):
            callee = True
        elif line[0] in "0123456789+-*":
            if not callee:
                costs[function] = costs.get(function, 0) + int(line.split()[1])
            callee = False
    return costs
