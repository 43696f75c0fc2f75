"""More MESSAGEs over UDP than a server can take. The server has one processor to itself and the load generator the others,
so that the crowd takes nothing from who has to cope with it. First what the server takes when each sender waits for his
answer (the limit), then multiples of that whatever it answers. The limit itself falls while the store grows and half a
minute of answered transactions is remembered, crowd or not: so it is taken again after each step, and the step compared
with the mean of both. That is with senders who wait; beside it stands what the first step delivers, of senders who do not."""
import contextlib
import os

STEPS = [1, 1.5, 2.5, 5]  # times the limit
WINDOWS = [100, 400]  # messages on their way at once; the limit is the better of both
NOBODY_WAITS = "2000000"
LEVEL = 0.9  # of the throughput at the limit
LIMIT = "overload: at the limit"
FIGURES = ("per_second", "offered", "p50_us", "p99_us", "cpu_us", "polite", "refused", "unanswered", "lost", "repeated",
           "statuses")


def step_name(step):
    return f"overload: {step:g} times the limit"


@contextlib.contextmanager
def processors(pids):
    """One processor for the server, the others for who is started inside; on a machine with one both share it."""
    before = os.sched_getaffinity(0)
    first, *others = sorted(before)
    bind(pids(), {first})
    try:
        yield set(others) or before
    finally:
        bind(pids(), before)


def bind(pids, allowed):
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), allowed)


def take(bench, server, measure, seconds):
    """One round: `measure(options…)` gives the figures of one load, bound to the processors that it is told."""
    def keep(case, figures):
        figures["offered"] = figures["sent"] / seconds
        bench.sample(case, server.name, {name: figures[name] for name in FIGURES})
        return figures["per_second"]
    with processors(server.pids) as others:
        def at_limit():
            return max((measure("-w", str(window), processors=others) for window in WINDOWS),
                       key=lambda figures: figures["per_second"])
        limit = keep(LIMIT, at_limit())
        for step in STEPS:
            keep(step_name(step), measure("-o", str(step * limit), "-w", NOBODY_WAITS, processors=others))
            before, limit = limit, keep(LIMIT, at_limit())
            samples = bench.samples[step_name(step)][server.name]
            mine, first = samples[-1], bench.samples[step_name(STEPS[0])][server.name][-1]
            mine["level"] = mine["per_second"] * 2 / (before + limit) if before + limit else 0
            mine["of_first"] = mine["per_second"] / first["per_second"] if first["per_second"] else 0


def level(bench, who, step):
    """Throughput as a part of that at the limit, which was taken before and after."""
    return bench.median(step_name(step), who, "level")


def goals(bench):
    for step in STEPS:
        bench.goal(f"level, offered {step:g} times: part of the throughput at the limit",
                   level(bench, "im-glue", step), least=LEVEL)
    samples = [sample for step in STEPS for sample in bench.samples.get(step_name(step), {}).get("im-glue", [])]
    for figure, name in (("lost", "accepted and lost"), ("unanswered", "without an answer")):
        bench.goal(f"beyond the limit, messages {name}", sum(one[figure] for one in samples) if samples else None, most=0)
    for who in ("im-glue", "kamailio"):
        share = level(bench, who, STEPS[-1])
        offered = bench.median(step_name(STEPS[-1]), who, "offered")
        if share:
            flat = ", ".join(f"{bench.median(step_name(step), who, 'of_first') or 0:.2f}" for step in STEPS[1:])
            bench.note(f"{who}: offered {', '.join(f'{step:g}' for step in STEPS[1:])} times, delivered {flat} of what it "
                       f"delivered when offered {STEPS[0]:g} time.")
            bench.note(f"{who}: offered {offered:,.0f} a second at the last step (the load generator sends no more than its "
                       f"processor can), delivered {share:.2f} of the throughput at the limit.")
