/**
 * Counts under which names a network finds the particles of simulated projects that evaluate.ts has searched: a row for each species
 * in truth, a column for each label.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/unet/confusion.ts CARD PROJECT_DIR... \
 *       [--thresholds balanced|competition]
 *
 * CARD is the model card with the thresholds. A pick belongs to the particle that it is nearest to, in units of the particle's radius, and at most half a radius from; the last row
 * counts picks that belong to none. The row "two labels" counts particles with picks of more than one label.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseObjects, cziiRules, type ParticlePick, parseModelSpec, picksFromCandidates } from 'cryoet-picks';
import { openProject } from 'cryoet-picks/node';

const {
  values,
  positionals: [card, ...folders],
} = parseArgs({
  allowPositionals: true,
  options: { thresholds: { type: 'string', default: 'balanced' } },
});
const { thresholds: set } = values;
if (card === undefined || folders.length === 0 || !(set === 'balanced' || set === 'competition')) {
  throw new Error('expected: confusion.ts CARD PROJECT_DIR... [--thresholds balanced|competition]');
}
const acrossObjects = set === 'balanced';
const { thresholds } = chooseObjects(parseModelSpec(await readFile(card, 'utf8')), undefined, { thresholds: set });
const names = Object.keys(cziiRules.objects).sort();
const columns = ['missed', ...names];
const rows = new Map([...names, 'two labels', 'no particle'].map((name) => [name, new Map<string, number>()]));

function count(row: string, column: string): void {
  const cells = rows.get(row)!;
  cells.set(column, (cells.get(column) ?? 0) + 1);
}

/** Distance of a pick from a particle in units of half the particle's radius, by which the competition counts a hit. */
function distance({ position }: ParticlePick, { object, position: centre }: ParticlePick): number {
  const apart = Math.hypot(position.x - centre.x, position.y - centre.y, position.z - centre.z);
  return apart / (0.5 * cziiRules.objects[object]!.radius);
}

for (const folder of folders) {
  const project = await openProject(join(folder, 'copick.json'));
  for (const run of await project.runs()) {
    const truth = (await run.picks({ userId: 'curation' })).filter(({ object }) => names.includes(object));
    const { candidates } = await run.readCandidates({ userId: 'evaluate', sessionId: '0' });
    const labels = truth.map(() => new Set<string>());
    for (const pick of picksFromCandidates(candidates, { thresholds, acrossObjects })) {
      const distances = truth.map((particle) => distance(pick, particle));
      const nearest = distances.indexOf(Math.min(...distances));
      if (nearest >= 0 && distances[nearest]! <= 1) labels[nearest]!.add(pick.object);
      else count('no particle', pick.object);
    }
    truth.forEach(({ object }, i) => {
      if (labels[i]!.size === 0) count(object, 'missed');
      if (labels[i]!.size > 1) count('two labels', object);
      for (const label of labels[i]!) count(object, label);
    });
  }
}
console.log(`| ${set} | ${columns.join(' | ')} |\n|---|${columns.map(() => '---|').join('')}`);
for (const [row, cells] of rows) {
  console.log(`| ${[row, ...columns.map((column) => cells.get(column) ?? 0)].join(' | ')} |`);
}
