/**
 * Writes the project that `npm run soak` searches: tomograms of 32×64×64 voxels, one in twenty of them broken, each in another way, and
 * a few that look odd and can be searched. `expected.json` beside it says what must become of each run: `done`, `warned`, or the code of
 * its failure.
 *
 *     npx tsx scripts/soak-project.ts FOLDER [--tomograms 500] [--broken 25] [--seed 1]
 *     npx cryoet-picks detect FOLDER/copick.json --model FOLDER/soak.onnx
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeOverlay, writeSoakProject } from '../test/support/soak/project.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tomograms: { type: 'string', default: '500' },
    broken: { type: 'string', default: '25' },
    seed: { type: 'string', default: '1' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('give the folder to write to: npx tsx scripts/soak-project.ts FOLDER');
await mkdir(folder, { recursive: true });
const [tomograms, broken, seed] = [values.tomograms, values.broken, values.seed].map(Number) as [
  number,
  number,
  number,
];
const { runs, config, model } = await writeSoakProject({ folder, tomograms, broken, seed });
await writeOverlay(join(folder, 'overlay'), runs);
const expected = runs.map(({ name, kind }) => [
  name,
  { kind: kind?.name ?? 'a sound tomogram', outcome: kind?.expected ?? 'done' },
]);
await writeFile(join(folder, 'expected.json'), `${JSON.stringify(Object.fromEntries(expected), null, 2)}\n`);
const failing = runs.filter(({ kind }) => kind !== undefined && !['done', 'warned'].includes(kind.expected));
console.log(
  `${runs.length} runs, of which ${failing.length} must fail: ${config}; network ${model}; expected outcomes ${join(folder, 'expected.json')}`,
);
