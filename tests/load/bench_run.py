"""What every bench shares: rounds in which all that is compared takes its turn, medians, ratios within a round, and a
results folder with table.txt, data.json and plot.svg.

A bench is a module bench_NAME.py with run(bench). It calls bench.sample(case, who, figures) once per round for each
case and each one compared, and bench.goal(...) for what should hold; the rest is done here."""
import json
import os
import platform
import shutil
import statistics
import tempfile
import time

import bench_plot
import bench_table

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Bench:
    """One run. `seconds`: of one measurement; `rounds`: how often each is taken; `quick`: a look whether all works; `long`: with
    what takes minutes."""

    def __init__(self, name, build, seconds, rounds, quick, only="", long=False):
        self.name, self.build, self.quick = name, os.path.abspath(build), quick
        self.seconds, self.rounds, self.only, self.long = seconds, rounds, only, long
        self.samples = {}  # case -> who -> [figures of round 0, 1, …]
        self.goals = []
        self.unit = "per_second"  # the figure that ratios are made of; larger is better, unless bench_table knows better
        self.notes = []
        self.closers = []
        self.folder = tempfile.mkdtemp(prefix=f"xdm-bench-{name}-")

    def program(self, name):
        return os.path.join(self.build, name)

    def path(self, *parts):
        """Inside the scratch folder, made if its parent is not there."""
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def at_end(self, closer):
        self.closers.append(closer)

    def close(self):
        for closer in reversed(self.closers):
            closer()
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, line):
        print(f"bench {self.name}: {line}", flush=True)

    def note(self, line):
        """A sentence that belongs under the table."""
        self.notes.append(line)
        self.say(line)

    def take(self, case, who, measure, *arguments, **options):
        """Measures and keeps, unless only others are wanted."""
        if self.only in case:
            self.sample(case, who, measure(*arguments, **options))

    def sample(self, case, who, figures):
        self.samples.setdefault(case, {}).setdefault(who, []).append(figures)
        shown = "  ".join(f"{name} {value:,.1f}" for name, value in figures.items() if isinstance(value, (int, float)))
        self.say(f"{case:34} {who:12} {shown}")

    def median(self, case, who, figure=None):
        values = [s[figure or self.unit] for s in self.samples.get(case, {}).get(who, []) if s.get(figure or self.unit)]
        return statistics.median(values) if values else None

    def ratio(self, case, who, other, other_case=None, figure=None):
        """Median of the ratios of the rounds: what disturbs a round disturbs both. More than 1: `who` is better."""
        figure = figure or self.unit
        pairs = zip(self.samples.get(case, {}).get(who, []), self.samples.get(other_case or case, {}).get(other, []))
        ratios = [a[figure] / b[figure] for a, b in pairs if a.get(figure) and b.get(figure)]
        if not ratios:
            return None
        ratio = statistics.median(ratios)
        return 1 / ratio if bench_table.smaller_is_better(figure) else ratio

    def goal(self, text, ratio, least=None, most=None):
        """`ratio` None: not measured in this run."""
        met = None if ratio is None else (ratio >= least if least is not None else ratio <= most)
        self.goals.append({"text": text, "ratio": ratio, "least": least, "most": most, "met": met})

    def data(self):
        cases = []
        for case, by_who in self.samples.items():
            figures = {}
            for who, samples in by_who.items():
                names = [name for name, value in samples[0].items() if isinstance(value, (int, float))]
                figures[who] = {name: self.median(case, who, name) for name in names}
                figures[who]["samples"] = samples
            first = next(iter(by_who))
            ratios = {who: self.ratio(case, first, who) for who in list(by_who)[1:]}
            cases.append({"case": case, "figures": figures, "ratios": ratios})
        return {"bench": self.name, "unit": self.unit, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "machine": machine(), "seconds": self.seconds, "rounds": self.rounds, "quick": self.quick,
                "cases": cases, "goals": self.goals, "notes": self.notes}

    def write(self, results):
        os.makedirs(results, exist_ok=True)
        data = self.data()
        with open(os.path.join(results, "data.json"), "w") as file:
            json.dump(data, file, indent=1)
        table = bench_table.text(data)
        with open(os.path.join(results, "table.txt"), "w") as file:
            file.write(table)
        with open(os.path.join(results, "plot.svg"), "w") as file:
            file.write(bench_plot.bars(data))
        print(f"\n{table}\nwritten to {results}/: table.txt data.json plot.svg")


def machine():
    processor = platform.machine()
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
    return {"processor": processor, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_before": os.getloadavg()[0]}
