/** Parsers that fail at index 2, to try the harness on. */
import { runMutants } from './mutants.ts';
import type { Target } from './targets.ts';

const faults: Readonly<Record<string, () => unknown>> = {
  'throws something else': () => (undefined as unknown as { x: number }).x,
  dies: () => process.exit(3),
  hangs: () => {
    for (;;);
  },
  'allocates a gigabyte': () => new Uint8Array(2 ** 30).length,
  'touches a prototype': () => Object.assign(Object.prototype, { polluted: 1 }),
};

const [name = ''] = process.argv.slice(2);
let runs = 0;
const first = Number(process.argv[4]);
const target: Target = {
  name,
  kind: 'bytes',
  corpus: async () => [new Uint8Array(8)],
  async run() {
    // The first run is of the corpus itself.
    const index = first + runs++ - 1;
    if (runs > 1 && index === 2) faults[name]!();
    if (runs > 1 && index > 2) delete (Object.prototype as { polluted?: unknown }).polluted;
  },
};
await runMutants(target);
