"""Documents compressed in the LMDB file, or as they are: size of the file, durable commits, processor time of a commit and of
a read from the page cache. docs/decisions/documents-are-packed.md draws the conclusion."""
import json
import os
import subprocess

CODECS = ["none", "lz4", "zstd1", "zstd3", "dictionary"]
SIZES = [600, 1200, 2048, 4096, 16384]
SHARE = 64  # commits of one flush to the disk


def run(bench):
    if not os.path.exists(bench.program("compression")):
        bench.note("Not measured: zstd was not there when it was built (libzstd-dev).")
        return
    for turn in range(bench.rounds):
        for size in SIZES[:1] if bench.quick else SIZES:
            count = 200 if bench.quick else min(20000, 80_000_000 // size)
            for codec in CODECS:
                folder = bench.path(f"{turn}-{size}-{codec}", "")
                done = subprocess.run([bench.program("compression"), codec, folder, str(size), str(count), str(SHARE)],
                                      capture_output=True, text=True, timeout=600)
                if done.returncode != 0:
                    raise RuntimeError(done.stderr)
                bench.sample(f"{size} bytes", codec, json.loads(done.stdout))
    bench.note(f"{SHARE} documents in each durable transaction. The processor times are those of one thread: the time of a "
               "commit is that of packing, putting and its share of the flush; of a read, finding and unpacking.")
