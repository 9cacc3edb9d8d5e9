/**
 * Loaded into the command line by `node --expose-gc --import`: whenever so many more runs are told of on standard output, collects
 * garbage, and appends what the process then holds as a line of JSON to a file.
 *
 *     SOAK_PROBE='{"file": "samples.jsonl", "every": 10}'
 */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';

const { file, every } = JSON.parse(process.env.SOAK_PROBE);
const write = process.stdout.write.bind(process.stdout);
let runs = 0;
process.stdout.write = (text, ...rest) => {
  const told = String(text).match(/picks?, [\d.]+ s$/gm)?.length ?? 0;
  runs += told;
  if (told > 0 && runs % every === 0) appendFileSync(file, `${JSON.stringify({ runs, ...held() })}\n`);
  return write(text, ...rest);
};

/** Bytes, and counts of what is open. */
function held() {
  globalThis.gc();
  const { rss: resident, heapUsed: heap } = process.memoryUsage();
  try {
    const threads = Number(/^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    return { resident, heap, files: readdirSync('/proc/self/fd').length, threads };
  } catch {
    // Only Linux says so.
    return { resident, heap };
  }
}
