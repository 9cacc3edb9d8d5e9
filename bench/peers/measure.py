"""Times work as bench/measure.ts does, and prints the same lines of JSON."""

import json
import statistics
import time


def measure(name, work, runs=3):
    result = work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"name": name, "seconds": statistics.median(seconds), "runs": seconds, "result": result}), flush=True)
