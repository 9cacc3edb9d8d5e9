"""Times work as bench/measure.ts does, and prints the same lines of JSON."""

import json
import resource
import statistics
import time


def measure(name, work, runs=3):
    result = work()
    seconds = []
    used = time.process_time()
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    used = time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    timing = {"name": name, "seconds": statistics.median(seconds), "runs": seconds, "cpu": used / runs, "memory": memory, "result": result}
    print(json.dumps(timing), flush=True)
