/**
 * Simulates a copick project of the default difficulty, one tomogram per seed, on the simulator of the checkout it lies in.
 *
 *     npx tsx training/unet/simulate-seeds.ts DIR --first 980000 --count 6 [--noise 1] [--shape 184,256,256]
 *
 * `old-simulator.sh` runs it on the simulator of an earlier commit, so it uses nothing that came later. Tomograms of different seeds
 * are independent; those that DIR holds already are replaced.
 */
import { parseArgs } from 'node:util';
import { directoryStore } from 'cryoet-picks/node';
import { difficulties, simulateProject } from 'cryoet-picks/simulate';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    first: { type: 'string' },
    count: { type: 'string', default: '1' },
    noise: { type: 'string', default: '1' },
    shape: { type: 'string', default: '184,256,256' },
  },
});
const [folder] = positionals;
const [first, count, noise] = [values.first, values.count, values.noise].map(Number) as [number, number, number];
const shape = values.shape.split(',').map(Number) as [number, number, number];
if (folder === undefined || !(Number.isSafeInteger(first) && Number.isSafeInteger(count) && noise >= 0)) {
  throw new Error('expected: simulate-seeds.ts DIR --first SEED [--count 1] [--noise 1] [--shape 184,256,256]');
}
for (let seed = first; seed < first + count; seed++) {
  const options = { ...difficulties.default, noise, seed, shape, runs: 1, overwrite: true };
  const { runs } = await simulateProject(directoryStore(folder), options);
  console.log(`${runs[0]!.run}: ${runs[0]!.picks.length} particles`);
}
