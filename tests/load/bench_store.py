"""Durable commits of the store without HTTP, beside LMDB alone with as many commits in each transaction."""
import json
import subprocess

BYTES = 2048


def measure(bench, who, folder, writers):
    done = subprocess.run([bench.program("store_speed"), who, folder, str(writers), str(bench.seconds), str(BYTES)],
                          capture_output=True, text=True, timeout=bench.seconds + 120)
    if done.returncode != 0:
        raise RuntimeError(f"store_speed {who}: {done.stderr}")
    return json.loads(done.stdout)


def run(bench):
    for _ in range(bench.rounds):
        for writers in [1, 8] if bench.quick else [1, 8, 32, 64, 128]:
            case = f"commit 2 KB, {writers} at once"
            ours = measure(bench, "store", bench.path("store", ""), writers)
            bench.sample(case, "store", ours)
            share = max(1, round(ours["batch"]))
            bench.sample(case, "bare LMDB", measure(bench, "lmdb", bench.path("lmdb", ""), share))
    bench.note("A commit of the store writes the document, its head and a change record; bare LMDB one value.")
