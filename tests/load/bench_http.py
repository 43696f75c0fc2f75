"""Whole documents over HTTP, digest authentication on: reads, unchanged reads and durable writes beside what the HTTP
library and the store could do alone, beside nginx, and beside Kamailio's xcap_server."""
import bench_documents
import bench_servers

GOAL_CONNECTIONS = 64
LADDER = [1, 8, 32, GOAL_CONNECTIONS, 128]
TARGET = "/xcap-root/resource-lists/users/sip:u{user}@example.com/doc{document}"
DOCUMENTS = 8  # per user


def run(bench):
    ladder = [1, 8] if bench.quick else LADDER
    users = max(ladder)
    body = bench.path("body.xml")
    size = bench_documents.write_list(body, 2048)
    xdms = bench_servers.xdms(bench, users)
    fixed = bench_servers.bare_http(bench, size)
    store = bench_servers.bare_store(bench)
    readers, writers = [xdms, fixed], [xdms, store]
    kamailio = nginx = None
    if not bench.quick:
        import bench_kamailio
        kamailio = bench_kamailio.start(bench, users)
        paths = [TARGET.replace("{user}", str(u)).replace("{document}", str(d))
                 for u in range(users) for d in range(DOCUMENTS)]
        nginx = bench_servers.nginx(bench, paths, open(body, "rb").read())
        readers += [nginx, kamailio]
        writers += [kamailio]
    put = {"method": "PUT", "body": body, "content_type": "application/resource-lists+xml", "documents": DOCUMENTS}
    for server in writers:
        bench_servers.load(bench, server, TARGET, users, seconds=0, **put)
    at = min(GOAL_CONNECTIONS, users)
    for _ in range(bench.rounds):
        for server in readers:
            bench.take(f"GET 2 KB, {at} connections", server.name, bench_servers.load, bench, server, TARGET, at)
        for server in readers[:3]: # Kamailio knows no conditional GET
            bench.take(f"304, {at} connections", server.name, bench_servers.load, bench, server, TARGET, at,
                       conditional=True)
        for connections in ladder:
            for server in writers:
                bench.take(f"durable PUT 2 KB, {connections} connections", server.name, bench_servers.load, bench,
                           server, TARGET, connections, **put)
    goals(bench, at)


def goals(bench, at):
    get, unchanged, put = (f"{what}, {at} connections" for what in ("GET 2 KB", "304", "durable PUT 2 KB"))
    bench.goal("GET to bare MHD", bench.ratio(get, "xdms", "bare MHD"), least=0.8)
    bench.goal("GET to nginx", bench.ratio(get, "xdms", "nginx"), least=0.8)
    bench.goal("304 to bare MHD", bench.ratio(unchanged, "xdms", "bare MHD"), least=0.8)
    bench.goal("304 to nginx", bench.ratio(unchanged, "xdms", "nginx"), least=0.8)
    bench.goal("durable PUT to bare MHD+LMDB", bench.ratio(put, "xdms", "bare MHD+LMDB"), least=0.75)
    bench.goal("durable PUT to Kamailio", bench.ratio(put, "xdms", "kamailio"), least=5)
    bench.goal("GET to Kamailio", bench.ratio(get, "xdms", "kamailio"), least=8)
