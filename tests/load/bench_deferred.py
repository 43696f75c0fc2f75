"""Messages that wait: how fast they are stored, handed over and let expire, what the registration of one user costs, and what
memory and disk they take, at ten thousand and a hundred thousand (--long: a million, too). Ten wait for each user; the
procedures of im-glue and its store are real, sockets are not there, and the clients run in the same thread."""
import json
import shutil
import subprocess

SIZES, LONG, QUICK = (10_000, 100_000), (1_000_000,), (400,)
RUN_SECONDS_MAX = 3600
REGISTRATION_RATIO_MAX = 2


def measure(bench, messages):
    folder = bench.path("deferred", str(messages))
    done = subprocess.run([bench.program("deferred_speed"), str(messages), folder], capture_output=True, text=True,
                          timeout=RUN_SECONDS_MAX)
    shutil.rmtree(folder, ignore_errors=True)
    if done.returncode != 0:
        raise RuntimeError(f"deferred_speed {messages}: {done.stderr[-1000:]}")
    return json.loads(done.stdout)


def sample(bench, messages, figures):
    def of(case):
        return f"{case}, {messages:,}"
    for case, figure in (("stored and answered 202", "store"), ("handed over, users come", "delivery"),
                         ("expired", "expiry")):
        bench.sample(of(case), "im-glue", {"per_second": figures[f"{figure}_per_second"],
                                             "cpu_us": figures[f"{figure}_cpu_us"],
                                             "written_kb": figures[f"{figure}_written_kb"]})
    bench.sample(of("one user comes, 10 wait"), "im-glue", {"ms": figures["registration_ms"]})
    bench.sample(of("how much waits, since when"), "im-glue", {"us": figures["look_us"]})
    bench.sample(of("memory"), "im-glue", {"mb": figures["memory_mb"]})
    bench.sample(of("disk, as a backup"), "im-glue", {"mb": figures["disk_mb"]})


def run(bench):
    sizes = QUICK if bench.quick else SIZES + (LONG if bench.long else ())
    for messages in sizes:
        for _ in range(1 if messages in LONG else bench.rounds):
            sample(bench, messages, measure(bench, messages))
    if len(sizes) > 1:
        few, many = (bench.median(f"one user comes, 10 wait, {size:,}", "im-glue", "ms") for size in (sizes[0], sizes[-1]))
        bench.goal(f"one user comes: as soon with {sizes[-1]:,} waiting as with {sizes[0]:,}, to a factor", many / few,
                   most=REGISTRATION_RATIO_MAX)
    bench.note("Each write is durable before its answer. A user who comes alone waits for the disk after each of his ten "
               "messages. CPU is that of all threads, the clients among them, and written what went to the data file, for each "
               "message. Memory is beside the page cache (RssAnon), with the answers of the clients in it.")
