"""A million documents (--quick: two thousand): how fast they come in, how much memory and disk they take, and whether any call
grows with their number. Memory is what the server's process has beside the pages of files (RssAnon)."""
import http.client
import json
import os
import subprocess
import time

import bench_documents
import bench_servers

USERS, DOCUMENTS_OF_ONE = 9900, 100
DOCUMENTS_OF_MANY = 10000  # of the user whose directory is read
MEMORY_MB_MAX = 100
CONNECTIONS = 64
TARGET = "/xcap-root/resource-lists/users/sip:u{user}@example.com/doc{document}"


def memory_mb(server, kind):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith(kind + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {kind}")


def disk_mb(folder):
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder)) / 1e6


def ctl(bench, server, *arguments, lines=None):
    """Seconds that xdmctl takes; `lines`: written to its standard input."""
    began = time.monotonic()
    process = subprocess.Popen([bench.program("xdmctl"), "--admin", f"127.0.0.1:{server.ports['admin']}", *arguments],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in lines or []:
        process.stdin.write(line)
    process.stdin.close()
    said = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError(f"xdmctl {arguments}: {said.decode()[-1000:]}")
    return time.monotonic() - began


def document_lines(users, body):
    """Each a document of its own bytes."""
    head = b'{"document":"resource-lists/users/sip:u%d@example.com/doc%d","body":'
    before, _, after = json.dumps(body).encode().partition(b"00000000")
    number = 0
    for user in range(users):
        for document in range(DOCUMENTS_OF_ONE):
            number += 1
            yield head % (user, document) + before + b"%08d" % number + after + b"}\n"
    for document in range(DOCUMENTS_OF_MANY):
        yield head.replace(b"u%d", b"many") % document + before + b"%08d" % document + after + b"}\n"


def bring_in(bench, server, users):
    documents = users * DOCUMENTS_OF_ONE + DOCUMENTS_OF_MANY
    body = open(bench.path("body.xml")).read()
    names = [f"u{user}" for user in range(users)] + ["many"]
    seconds = ctl(bench, server, "import", "-", lines=[b"name,password\n"] + [f"{n},{n}\n".encode() for n in names])
    bench.sample("users imported (CSV)", "xdms", {"per_second": len(names) / seconds, "seconds": seconds})
    used = server.cpu_seconds()
    seconds = ctl(bench, server, "import", "-", lines=document_lines(users, body))
    bench.sample("documents of 2 KB imported", "xdms",
                 {"per_second": documents / seconds, "seconds": seconds,
                  "cpu_us": (server.cpu_seconds() - used) * 1e6 / documents})
    bench.sample("memory after the import", "xdms", {"mb": memory_mb(server, "RssAnon")})
    bench.sample("disk", "xdms", {"mb": disk_mb(bench.path("xdms-data", ""))})
    seconds = ctl(bench, server, "import", "--if-absent", "-", lines=document_lines(users, body))
    bench.sample("the same again, --if-absent", "xdms", {"per_second": documents / seconds, "seconds": seconds})
    return documents


def timed_get(bench, server, case, port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    began = time.monotonic()
    connection.request("GET", path)
    answer = connection.getresponse()
    size = len(answer.read())
    took = time.monotonic() - began
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    bench.sample(case, "xdms", {"ms": took * 1000, "kb": size / 1000})


def directory(bench, server):
    url = (f"http://127.0.0.1:{server.port}/xcap-root/org.openmobilealliance.xcap-directory/users/sip:many@example.com/"
           "directory.xml")
    began = time.monotonic()
    done = subprocess.run(["curl", "-sS", "-f", "--digest", "-u", "many:many", url], capture_output=True, timeout=300,
                          check=True)
    bench.sample(f"directory of {DOCUMENTS_OF_MANY:,} documents", "xdms",
                 {"ms": (time.monotonic() - began) * 1000, "kb": len(done.stdout) / 1000})


def calls(bench, server):
    admin = server.ports["admin"]
    timed_get(bench, server, "first page of users", admin, "/api/v1/users?limit=100")
    timed_get(bench, server, "last page of users", admin, "/api/v1/users?limit=100&after=u9")
    timed_get(bench, server, "groups, of which there are none", admin, "/api/v1/groups?limit=1000")
    timed_get(bench, server, "metrics", server.ports["management"], "/metrics")
    directory(bench, server)
    figures = bench_servers.load(bench, server, TARGET, CONNECTIONS, documents=8)
    bench.sample(f"GET 2 KB, {CONNECTIONS} connections", "xdms", figures)
    body = {"method": "PUT", "body": bench.path("body.xml"), "content_type": "application/resource-lists+xml"}
    figures = bench_servers.load(bench, server, TARGET, CONNECTIONS, documents=8, **body)
    bench.sample(f"durable PUT 2 KB, {CONNECTIONS} connections", "xdms", figures)
    bench.sample("memory after all calls", "xdms", {"mb": memory_mb(server, "RssAnon")})


def copies(bench, server):
    copy = bench.path("copy", "backup")
    bench.sample("backup", "xdms", {"seconds": ctl(bench, server, "backup", copy)})
    bench.sample("backup's size", "xdms", {"mb": disk_mb(copy)})
    bench.sample("check", "xdms", {"seconds": ctl(bench, server, "check", "--data", copy)})
    restored = bench.path("restored", "data")
    bench.sample("restore with its check", "xdms", {"seconds": ctl(bench, server, "restore", "--data", restored, copy)})
    bench.sample("memory after a backup", "xdms", {"mb": memory_mb(server, "RssAnon")})


def run(bench):
    global USERS, DOCUMENTS_OF_ONE, DOCUMENTS_OF_MANY
    if bench.quick:
        USERS, DOCUMENTS_OF_ONE, DOCUMENTS_OF_MANY = CONNECTIONS, 16, 1000
    bench_documents.write_list(bench.path("body.xml"), 2048)
    server = bench_servers.xdms(bench, 0)
    documents = bring_in(bench, server, USERS)
    calls(bench, server)
    copies(bench, server)
    highest = max(bench.median(case, "xdms", "mb") for case in ("memory after the import", "memory after all calls",
                                                                 "memory after a backup"))
    bench.goal(f"resident memory beside the page cache to {MEMORY_MB_MAX} MB", highest / MEMORY_MB_MAX, most=1)
    bench.note(f"{documents:,} documents of 2,048 bytes; each figure is of one run.")
