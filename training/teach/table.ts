/**
 * What teaching by picks finds of particles that a network never saw: best F1, and F1 at the threshold that `teach` chose, by species,
 * number of picks, number of rejects and seed. Picks and rejects come from one simulated tomogram, scores from another.
 *
 *     npx tsx training/teach/table.ts MODEL.onnx [--seeds 3] [--noise 1] [--species rubisco] [--picks 3,5,10,20,50] [--shape 184,400,400]
 *
 * Rejects are what a person would reject first: the best of the false picks of the head without rejects, in the taught tomogram.
 * Prints one line of JSON per cell of the table, then the table.
 */
import { parseArgs } from 'node:util';
import {
  computeFeatures,
  localMaxima,
  matchPicks,
  type ParticlePick,
  type RunPicks,
  sourceFromArray,
  suppressNearby,
  type Taught,
  type TomogramFeatures,
  teach,
  toPick,
} from 'cryoet-picks';
import { loadModel } from 'cryoet-picks/node';
import { createRandom, difficulties, simulateScene, simulateTomogram } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

/** Of training/unet/splits.ts: in no tomogram that the network was trained on. */
const heldOut = ['fatty-acid-synthase', 'proteasome-26s', 'proteasome-20s', 'chaperonin-tric', 'rubisco'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '3' },
    first: { type: 'string', default: '880000' },
    noise: { type: 'string', default: '1' },
    species: { type: 'string', default: heldOut.join() },
    picks: { type: 'string', default: '3,5,10,20,50' },
    rejects: { type: 'string', default: '0,20' },
    each: { type: 'string', default: '60' },
    shape: { type: 'string', default: '184,400,400' },
  },
});
const list = (text: string) => text.split(',').map(Number);
const shape = list(values.shape) as unknown as readonly [number, number, number];
const [seeds, first, noise, each] = [values.seeds, values.first, values.noise, values.each].map(Number) as [
  number,
  number,
  number,
  number,
];
const species = values.species.split(',');
const model = await loadModel(ort, positionals[0]);

interface Simulated {
  readonly features: TomogramFeatures;
  readonly truth: readonly ParticlePick[];
  readonly radii: Readonly<Record<string, number>>;
}

async function simulated(seed: number, run: string): Promise<Simulated> {
  const counts = Object.fromEntries(heldOut.map((name) => [name, each]));
  const options = { ...difficulties.default, noise, seed, shape, counts };
  const { molecules } = simulateScene(options);
  const { volume, grid } = await simulateTomogram(options);
  const truth = molecules.map(({ species: { name }, position }) => ({ object: name, position, score: 1 }));
  const radii = Object.fromEntries(molecules.map(({ species: { name, radius } }) => [name, radius]));
  const features = await computeFeatures(sourceFromArray(volume, grid), { model, run });
  return { features, truth, radii };
}

/** Peaks down to a low score, best first, and which of them are true. */
async function found(taught: Taught, { features, truth, radii }: Simulated, object: string) {
  const picks: ParticlePick[] = [];
  for await (const peak of localMaxima(taught.scoreSlabs(features), { threshold: 0.01 })) picks.push(toPick(peak));
  const kept = suppressNearby(picks, { minDistance: radii[object]! });
  const own = truth.filter((one) => one.object === object);
  const candidates = kept.map(({ position, score }) => ({ ...position, score }));
  const places = own.map(({ position }) => position);
  const { pairs } = matchPicks(places, candidates, { radius: 0.75 * radii[object]!, matching: 'greedy' });
  const hits = new Set(pairs.map(({ candidate }) => candidate));
  return { kept, isTrue: kept.map((_, i) => hits.has(i)), count: own.length };
}

function f1At(isTrue: readonly boolean[], count: number, taken: number): number {
  const hits = isTrue.slice(0, taken).filter(Boolean).length;
  return (2 * hits) / (taken + count);
}

const rows = new Map<string, { best: number[]; chosen: number[] }>();
for (let seed = 0; seed < seeds; seed++) {
  const learned = await simulated(first + 2 * seed, 'taught');
  const tested = await simulated(first + 2 * seed + 1, 'tested');
  for (const object of species) {
    const particles = learned.truth.filter((one) => one.object === object);
    const random = createRandom(seed, 31);
    const order = particles.map((pick) => ({ pick, key: random.uniform() })).sort((a, b) => a.key - b.key);
    for (const picks of list(values.picks)) {
      const shown: RunPicks[] = [{ run: 'taught', picks: order.slice(0, picks).map(({ pick }) => pick) }];
      const radius = learned.radii[object]!;
      const plain = await teach([learned.features], shown, { radius });
      const own = await found(plain, learned, object);
      for (const count of list(values.rejects)) {
        const rejects = [{ run: 'taught', picks: own.kept.filter((_, i) => !own.isTrue[i]).slice(0, count) }];
        const begin = performance.now();
        const taught = count === 0 ? plain : await teach([learned.features], shown, { radius, rejects });
        const seconds = (performance.now() - begin) / 1000;
        const { kept, isTrue, count: total } = await found(taught, tested, object);
        const { balanced } = taught.objects[0]!.thresholds;
        const scores = kept.map((_, i) => f1At(isTrue, total, i + 1));
        const best = Math.max(0, ...scores);
        const chosen = f1At(isTrue, total, kept.filter(({ score }) => score >= balanced).length);
        const expected = taught.objects[0]!.curve.at(-1)!.score;
        const dropped = taught.objects[0]!.rejectsDropped;
        console.log(JSON.stringify({ object, seed, picks, rejects: count, best, chosen, expected, dropped, seconds }));
        const key = `${object}, ${picks} picks, ${count} rejects`;
        const row = rows.get(key) ?? { best: [], chosen: [] };
        row.best.push(best);
        row.chosen.push(chosen);
        rows.set(key, row);
      }
    }
  }
}
await model.dispose();
const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
console.log('species, picks, rejects: median of best F1, of F1 at the chosen threshold');
for (const [key, { best, chosen }] of rows)
  console.log(`${key}: ${median(best).toFixed(2)}, ${median(chosen).toFixed(2)}`);
