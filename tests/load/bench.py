#!/usr/bin/env python3
"""Measures the product beside its limits in one run and writes what came out to a results folder.

    bench.py NAME BUILD_FOLDER [--seconds N] [--rounds N] [--quick] [--only CASE] [--results FOLDER]"""
import argparse
import importlib
import os
import signal
import sys

import bench_run

BENCHES = ("store", "http", "element", "policy", "scale", "compression", "transactions", "sip", "deferred",
           "instructions", "search", "sheet")


def arguments():
    names = sorted(name[len("bench_"):-len(".py")] for name in os.listdir(os.path.dirname(os.path.abspath(__file__)))
                   if name.startswith("bench_") and name.endswith(".py"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=[name for name in names if name in BENCHES])
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, help="of one measurement (default: 3; sip: 1.5)")
    parser.add_argument("--rounds", type=int, help="how often each is taken (default: 3)")
    parser.add_argument("--quick", action="store_true", help="only to see whether it works: short, once, no peers that "
                        "need further packages")
    parser.add_argument("--long", action="store_true", help="with what takes minutes (deferred: a million messages)")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    parser.add_argument("--results", help="default: results/bench/NAME")
    return parser.parse_args()


def main():
    options = arguments()
    module = importlib.import_module(f"bench_{options.name}")
    seconds = options.seconds or (0.3 if options.quick else getattr(module, "SECONDS", 3))
    rounds = options.rounds or (1 if options.quick else 3)
    bench = bench_run.Bench(options.name, options.build, seconds, rounds, options.quick, options.only, options.long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    try:
        module.run(bench)
    finally:
        bench.close()
    bench.write(options.results or os.path.join(bench_run.SOURCE, "results", "bench", options.name))


main()
