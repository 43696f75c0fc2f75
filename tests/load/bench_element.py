"""One element of a document: over HTTP beside a whole document of 2 KB, and, without HTTP and store, beside the tag
scanner and beside libxml2's parse and validation of the same bytes."""
import json
import subprocess

import bench_documents
import bench_servers

ENTRIES = [10, 100, 200, 1000, 10000]
LOADED = 200  # entries of the document that is asked over HTTP
CONNECTIONS = 64
PATH = "/xcap-root/resource-lists/users/sip:u{user}@example.com/"
LIST = 'resource-lists/list[@name="friends"]'
STEPS = {"scan_us": "tag scanner alone", "get_us": "GET, first", "index_us": "GET, again", "edit_us": "PUT: edit alone",
         "check_us": "PUT: all checks of the result", "put_us": "PUT: edit and checks",
         "parse_us": "libxml2: parse and validation", "tree_us": "libxml2: the same with a tree"}


def node(entry):
    quoted = LIST.replace("[", "%5B").replace("]", "%5D").replace('"', "%22")
    return f"{quoted}/entry%5B@uri=%22sip:person{entry:05d}@example.com%22%5D"


def run(bench):
    element = bench.path("entry.xml")
    with open(element, "w") as file:
        file.write(bench_documents.entry(7).strip().replace("Person 7<", "Person 00000000<"))
    for _ in range(bench.rounds):
        for count in ENTRIES[:2] if bench.quick else ENTRIES:
            document = bench.path(f"{count}.xml")
            with open(document, "w") as file:
                file.write(bench_documents.list_of(count))
            selector = f'{LIST}/entry[@uri="sip:person{7:05d}@example.com"]'
            done = subprocess.run([bench.program("element_speed"), document, selector, element,
                                   str(bench.seconds / len(STEPS))], capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            for step, microseconds in json.loads(done.stdout).items():
                bench.take(f"{count} entries", STEPS[step], lambda us=microseconds: {"us": us})
    bench.unit = "us"
    over_http(bench, element)
    goals(bench)


def over_http(bench, element):
    connections = 2 if bench.quick else CONNECTIONS
    xdms = bench_servers.xdms(bench, connections)
    small, large = bench.path("small.xml"), bench.path("large.xml")
    bench_documents.write_list(small, 2048)
    with open(large, "w") as file:
        file.write(bench_documents.list_of(LOADED))
    whole = {"method": "PUT", "content_type": "application/resource-lists+xml", "seconds": 0}
    bench_servers.load(bench, xdms, PATH + "small{document}", connections, body=small, **whole)
    bench_servers.load(bench, xdms, PATH + "large{document}", connections, body=large, documents=1, **whole)
    put = {"method": "PUT", "content_type": "application/xcap-el+xml", "body": element, "documents": 1}
    for _ in range(bench.rounds):
        case = f"over HTTP, {connections} connections"
        bench.take(case, "GET of 2 KB", bench_servers.load, bench, xdms, PATH + "small{document}", connections)
        for who, entry in (("GET of entry 8 of 200", 7), ("GET of entry 199 of 200", 198)):
            bench.take(case, who, bench_servers.load, bench, xdms, f"{PATH}large{{document}}/~~/{node(entry)}",
                       connections, documents=1)
        bench.take(case, "PUT of entry 8 of 200", bench_servers.load, bench, xdms,
                   f"{PATH}large{{document}}/~~/{node(7)}", connections, **put)


def goals(bench):
    for case in bench.samples:
        if case.startswith("over HTTP"):
            for who in ("GET of entry 8 of 200", "GET of entry 199 of 200"):
                bench.goal(f"{who} to GET of 2 KB", bench.ratio(case, who, "GET of 2 KB", figure="per_second"),
                           least=0.8)
    ratio = bench.ratio("200 entries", STEPS["put_us"], STEPS["parse_us"], figure="us")
    bench.goal("element PUT, 200 entries, to parse and validation", ratio and 1 / ratio, most=1.5)
