// How long a project takes with one and two runs at once, with one and two threads of the network, and with a network that takes no
// time: wall clock and processor time of each, alternately, with the load of the machine.
//
//   npm run build
//   npx cryoet-picks simulate PROJECT --runs 6 --shape 96,256,256
//   npm run bench:jobs -- PROJECT/copick.json [--rounds 5]
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { detectProject, type Model, type ModelSpec } from 'cryoet-picks';
import { loadModel, openProject } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';

process.env.ORT_DISABLE_TELEMETRY ??= '1';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
});
const [config] = positionals;
if (config === undefined) throw new Error('give the config of a project');
const rounds = Number(values.rounds);

/** A network that gives zeros at once. */
function noNetwork(card: ModelSpec): Model {
  // Of zeros, a softmax would make one large plateau.
  const spec: ModelSpec = { ...card, activation: 'none' };
  return {
    spec,
    async score({ data, shape: [n, z, y, x] }) {
      const stride = spec.outputStride;
      const scores = new Float32Array((data.length * spec.classes.length) / stride ** 3);
      return { data: scores, shape: [n, spec.classes.length, z / stride, y / stride, x / stride], tiles: data };
    },
    async dispose() {},
  };
}

interface Spent {
  readonly wall: number;
  readonly cpu: number;
}

/** Searches all runs into an empty overlay. */
async function search(model: Model, jobs: number): Promise<Spent> {
  const overlay = mkdtempSync(join(tmpdir(), 'cryoet-picks-jobs-'));
  try {
    const project = await openProject(config!, { overlay });
    const [started, before] = [performance.now(), process.cpuUsage()];
    for await (const { run, status } of detectProject(project, { model, jobs })) {
      if (status !== 'detected') throw new Error(`${run} is ${status}`);
    }
    const { user, system } = process.cpuUsage(before);
    return { wall: (performance.now() - started) / 1000, cpu: (user + system) / 1e6 };
  } finally {
    rmSync(overlay, { recursive: true });
  }
}

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const shown = (spent: readonly Spent[]) => {
  const walls = spent.map(({ wall }) => wall);
  const range = `${Math.min(...walls).toFixed(2)}–${Math.max(...walls).toFixed(2)}`;
  return `${median(walls).toFixed(2)} s (${range}), processor ${median(spent.map(({ cpu }) => cpu)).toFixed(2)} s`;
};

for (const threads of [1, 2]) {
  const network = await loadModel(ort, undefined, { threads });
  for (const [name, model] of [
    [`network, ${threads} threads`, network],
    ...(threads === 1 ? ([['no network', noNetwork(network.spec)]] as const) : []),
  ] as const) {
    const spent: Record<1 | 2, Spent[]> = { 1: [], 2: [] };
    await search(model, 1);
    for (let round = 0; round < rounds; round++)
      for (const jobs of [1, 2] as const) spent[jobs].push(await search(model, jobs));
    console.log(`${name}; load ${loadavg()[0]!.toFixed(1)}`);
    for (const jobs of [1, 2] as const) console.log(`  --jobs ${jobs}: ${shown(spent[jobs])}`);
  }
  await network.dispose();
}
