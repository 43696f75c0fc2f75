"""A query evaluated on our tree of a document, beside the same query as an XSLT sheet run by libxslt: CPU time of both in one
process in turn, and instructions by callgrind, of which the machine's load is no part. Needs valgrind."""
import json
import re
import subprocess

QUERIES = ("address equal to", "name contains and country", "either name begins with, four parts")
WAYS = {"tree": "our tree", "sheet": "sheet", "evaluate": "our tree, kept", "transform": "sheet, tree kept"}
DOCUMENTS, COUNTED = 2000, 300
SECONDS_MAX = 600


def run(bench):
    bench.unit = "us"
    for number, case in enumerate(QUERIES):
        counts = {way: instructions(bench, number, way) for way in WAYS}
        for _ in range(bench.rounds):
            figures = times(bench, number)
            for way, who in WAYS.items():
                bench.take(case, who, lambda: {"us": figures[way + "_us"], "instructions": counts[way]})
        for way, other in (("tree", "sheet"), ("evaluate", "transform")):
            bench.goal(f"{case}: instructions, {WAYS[way]} to {WAYS[other]}",
                       bench.ratio(case, WAYS[way], WAYS[other], figure="instructions"), least=1)


def times(bench, query):
    rounds = max(1, int(bench.seconds * 10))
    done = subprocess.run([bench.program("sheet_speed"), str(query), str(DOCUMENTS), str(rounds)], capture_output=True, text=True,
                          timeout=SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def instructions(bench, query, way):
    """Of one document: the rounds beyond the first, so that what happens once is not counted."""
    few, many = (collected(bench, query, way, rounds) for rounds in (1, 3))
    return (many - few) / 2 / COUNTED


def collected(bench, query, way, rounds):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + bench.path("callgrind"), bench.program("sheet_speed"),
                           str(query), str(COUNTED), str(rounds), way], capture_output=True, text=True, timeout=SECONDS_MAX, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))
