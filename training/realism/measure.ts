/**
 * Measures real crops of the CZII tomograms beside simulated ones: prints the tables of docs/design/simulation.md, writes all numbers as
 * JSON, draws the figure.
 *
 *     npm run realism -- [OUT] [--real ../shared/data/real] [--tomograms 4] [--seed 1]
 *
 * OUT (default: realism/) gets realism.json and realism.png. Where the real crops are missing, their part is skipped with the reason.
 * Four simulated tomograms take a minute of a core.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { apoferritinCrops } from './apoferritin.ts';
import { missingCrop, readRealCrops } from './crops.ts';
import { drawCrops } from './figure.ts';
import { type CubeMeasures, type Measures, measure, measureCube } from './measures.ts';
import { simulateCrops } from './simulated.ts';

/** The numbers of a crop by name. */
function flat({ profile, correlation, ...numbers }: Measures): Record<string, number> {
  const rows: Record<string, number> = { ...numbers };
  for (const [across, values] of Object.entries(profile)) {
    for (const [i, value] of values.entries()) rows[`across ${across}, ring ${2 * i}–${2 * i + 2}`] = value;
  }
  for (const [along, values] of Object.entries(correlation)) {
    for (const [i, value] of values.entries()) rows[`background along ${along}, lag ${i + 1}`] = value;
  }
  return rows;
}

function flatCube({ profile, ...numbers }: CubeMeasures): Record<string, number> {
  const rows: Record<string, number> = { ...numbers };
  for (const [i, value] of profile.entries()) rows[`ring ${2 * i}–${2 * i + 2}`] = value;
  return rows;
}

interface Compared {
  readonly real: number | undefined;
  /** 5 %, 50 % and 95 % quantiles of the simulated crops. */
  readonly simulated: readonly [number, number, number];
  /** Share of the simulated crops that are below the real one. */
  readonly rank: number | undefined;
}

function compare(
  real: Readonly<Record<string, number>> | undefined,
  simulated: readonly Readonly<Record<string, number>>[],
): Record<string, Compared> {
  const names = Object.keys(simulated[0] ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const sorted = simulated.map((row) => row[name]!).toSorted((a, b) => a - b);
      const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
      const value = real?.[name];
      const rank = value === undefined ? undefined : sorted.filter((other) => other < value).length / sorted.length;
      return [name, { real: value, simulated: [quantile(0.05), quantile(0.5), quantile(0.95)] as const, rank }];
    }),
  );
}

/** Rows of the printed table; the JSON has all. */
const printed: readonly (readonly [name: string, told: string])[] = [
  ['contrast', 'contrast to noise: darkest ring'],
  ['darkest', 'darkest tenth, across z'],
  ['darkestAcrossY', 'darkest tenth, across y'],
  ['spread', 'radius of half the darkness, voxels'],
  ['halo', 'halo: ring of 4 voxels around it'],
  ['darkestTwentieth', 'darkest twentieth, in deviations of the cube'],
  ['skew', 'skew'],
];

function print(object: string, rows: Readonly<Record<string, Compared>>): void {
  const number = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(2).replace('-', '−'));
  for (const [name, told] of printed) {
    if (rows[name] === undefined) continue;
    const { real, simulated, rank } = rows[name];
    const [low, median, high] = simulated.map(number);
    console.log(`| ${object} | ${told} | ${number(real)} | ${median} (${low} … ${high}) | ${number(rank)} |`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    real: { type: 'string', default: fileURLToPath(new URL('../../../shared/data/real', import.meta.url)) },
    tomograms: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const out = positionals[0] ?? 'realism';
const missing = missingCrop(values.real);
if (missing !== undefined) console.log(`The real crops are skipped: ${missing} is missing.`);
const real = missing === undefined ? readRealCrops(values.real) : undefined;
const simulated = await simulateCrops(Number(values.tomograms), Number(values.seed));
const objects = [...new Set(simulated.crops.map(({ object }) => object))].sort();
console.log('| | | real | simulated: median (5 … 95 %) | rank of the real one |\n|---|---|---|---|---|');
const report: Record<string, Record<string, Compared>> = {};
for (const object of objects) {
  const of = <T extends { readonly object: string }>(all: readonly T[]) => all.filter((one) => one.object === object);
  const crop = real === undefined ? undefined : of(real.crops)[0];
  const ours = of(simulated.crops);
  report[object] = compare(crop === undefined ? undefined : flat(measure(crop)), ours.map(measure).map(flat));
  print(object, report[object]);
  const ourCubes = of(simulated.cubes).map(measureCube).map(flatCube);
  for (const [i, theirs] of (real === undefined ? [] : of(real.cubes)).entries()) {
    const name = `${object}, cube ${i + 1}`;
    report[name] = compare(flatCube(measureCube(theirs)), ourCubes);
    print(name, report[name]);
  }
}
const many = (await apoferritinCrops(values.real)).map(measure).map(flat);
if (many.length > 0) {
  const ours = simulated.crops
    .filter(({ object }) => object === 'apo-ferritin')
    .map(measure)
    .map(flat);
  const name = `apo-ferritin, median of ${many.length} of EMPIAR-10491`;
  const medians = Object.fromEntries(
    Object.entries(compare(undefined, many)).map(([key, row]) => [key, row.simulated[1]]),
  );
  report[name] = compare(medians, ours);
  print(name, report[name]);
}
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'realism.json'), `${JSON.stringify(report, null, 1)}\n`);
writeFileSync(join(out, 'realism.png'), drawCrops(real?.crops ?? [], simulated.crops));
