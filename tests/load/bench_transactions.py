"""One SIP transaction while others are in flight: CPU time of each kind, and the memory that each holds."""
import json
import subprocess

IN_FLIGHT = [100, 5000, 50000, 200000]
STEPS = {"answer_us": "request taken and answered", "absorb_us": "repeated request answered again",
         "refuse_us": "request refused, the queue is full", "send_us": "request sent, answer taken"}
MEMORY = {"answered_bytes": "answered, absorbs repetitions", "waiting_bytes": "waits for our answer",
          "client_bytes": "waits for a peer's answer"}


def run(bench):
    for _ in range(bench.rounds):
        for count in IN_FLIGHT[:2] if bench.quick else IN_FLIGHT:
            done = subprocess.run([bench.program("sip_speed"), str(count), str(bench.seconds / len(STEPS))],
                                  capture_output=True, text=True, timeout=600)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            found = json.loads(done.stdout)
            for step, name in STEPS.items():
                bench.take(f"{count} in flight", name, lambda us=found[step]: {"us": us})
            for kind, name in MEMORY.items():
                bench.take(f"{count} in flight", name, lambda size=found[kind]: {"bytes": size})
    bench.unit = "us"
