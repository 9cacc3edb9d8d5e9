import { type Calibration, type Candidates, estimateFalsePicks } from 'cryoet-picks';
import { cziiVoxelSize } from 'cryoet-picks/simulate';
import type { LabelledTomogram } from './labels.ts';
import { comparedThresholds } from './regression.ts';

/** What the library says about the picks of a tomogram, beside the truth. */
export interface Case {
  readonly tomogram: LabelledTomogram;
  readonly object: string;
  readonly threshold: number;
  readonly picks: number;
  readonly falsePicks: number;
  /** Undefined if it cannot be told. */
  readonly estimate: number | undefined;
  readonly interval: readonly [number, number] | undefined;
  /** The mean share of false picks of the tomograms that chose, of as many picks. */
  readonly average: number;
}

/** The candidates of one object, far apart, so that nothing is suppressed again. */
function candidatesOf(
  { shape, objects }: LabelledTomogram,
  object: string,
  { floor, calibration }: { readonly floor: number; readonly calibration: Calibration | undefined },
): Candidates {
  const { scores } = objects[object]!;
  const minDistance = calibration?.minDistance ?? 0;
  const of = (value: number) => ({ [object]: value });
  return {
    grid: { shape, voxelSize: cziiVoxelSize, origin: { x: 0, y: 0, z: 0 } },
    objects: [object],
    thresholds: of(1),
    minDistances: of(minDistance),
    floors: of(floor),
    lowestThresholds: of(floor),
    calibration: calibration && { [object]: calibration },
    objectIndices: new Uint16Array(scores.length),
    positions: Float64Array.from({ length: 3 * scores.length }, (_, i) => (i % 3 === 0 ? i * (minDistance + 1) : 0)),
    scores: Float32Array.from(scores),
  };
}

/** Every tomogram, object and threshold with a pick. */
export function casesOf(
  tomograms: readonly LabelledTomogram[],
  chosen: readonly LabelledTomogram[],
  calibrations: Readonly<Record<string, Calibration>>,
  thresholds: (object: string) => readonly number[] = () => comparedThresholds,
): Case[] {
  return tomograms.flatMap((tomogram) =>
    Object.entries(tomogram.objects).flatMap(([object, { scores, isTrue }]) => {
      const candidates = candidatesOf(tomogram, object, { floor: 0.0043, calibration: calibrations[object] });
      return thresholds(object).flatMap((threshold) => {
        const picks = scores.filter((score) => score >= threshold).length;
        if (picks === 0) return [];
        const falsePicks = isTrue.slice(0, picks).filter((one) => one === 0).length;
        const { falsePicks: estimate, interval } = estimateFalsePicks(candidates, { thresholds: threshold })[object]!;
        const average = picks * meanShare(chosen, object, threshold);
        return [{ tomogram, object, threshold, picks, falsePicks, estimate, interval, average }];
      });
    }),
  );
}

function meanShare(tomograms: readonly LabelledTomogram[], object: string, threshold: number): number {
  let [picks, falsePicks] = [0, 0];
  for (const { objects } of tomograms) {
    objects[object]!.scores.forEach((score, i) => {
      if (score < threshold) return;
      picks++;
      falsePicks += 1 - objects[object]!.isTrue[i]!;
    });
  }
  return picks === 0 ? 0 : falsePicks / picks;
}

/** True if a number of false picks is within a factor of 1.5. */
const isClose = (estimate: number, falsePicks: number) => estimate <= 1.5 * falsePicks && 1.5 * estimate >= falsePicks;

const percent = (part: number, whole: number) => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(0)} %`);

/** One row per object of cases with at least 10 true and 10 false picks, and one of all. */
export function accuracyTable(cases: readonly Case[]): string {
  const counted = cases.filter(({ picks, falsePicks }) => falsePicks >= 10 && picks - falsePicks >= 10);
  const row = (what: string, own: readonly Case[]) => {
    const told = own.filter(({ estimate }) => estimate !== undefined);
    const held = told.filter(({ falsePicks, interval }) => interval![0] <= falsePicks && falsePicks <= interval![1]);
    return [
      what,
      own.length,
      new Set(own.map(({ tomogram }) => tomogram)).size,
      own.length - told.length,
      percent(told.filter(({ estimate, falsePicks }) => isClose(estimate!, falsePicks)).length, told.length),
      percent(told.filter(({ average, falsePicks }) => isClose(average, falsePicks)).length, told.length),
      percent(held.length, told.length),
    ];
  };
  const objects = [...new Set(cases.map(({ object }) => object))];
  const rows = [
    ...objects.map((object) =>
      row(
        object,
        counted.filter((one) => one.object === object),
      ),
    ),
    row('**all**', counted),
  ];
  const head = [
    'object',
    'cases',
    'tomograms',
    'cannot tell',
    'within a factor of 1.5',
    'by the average',
    'in the interval',
  ];
  return markdown(head, rows);
}

/** One row per condition, of the same cases. */
export function conditionTable(cases: readonly Case[]): string {
  const counted = cases.filter(
    ({ picks, falsePicks, estimate }) => falsePicks >= 10 && picks - falsePicks >= 10 && estimate !== undefined,
  );
  const groups = groupedBy(counted, ({ tomogram: { noise, density } }) => `${noise} | ${density}`);
  const rows = [...groups]
    .sort()
    .map(([condition, own]) => [
      condition,
      own.length,
      percent(own.filter(({ estimate, falsePicks }) => isClose(estimate!, falsePicks)).length, own.length),
      percent(own.filter(({ average, falsePicks }) => isClose(average, falsePicks)).length, own.length),
    ]);
  return markdown(['noise', 'density', 'cases', 'within a factor of 1.5', 'by the average'], rows);
}

/** Of objects that are absent: their picks at the threshold of the card, and how many of them are called false. */
export function absentTable(cases: readonly Case[]): string {
  const absent = cases.filter(({ tomogram, object }) => tomogram.objects[object]!.truth === 0);
  const sum = (values: readonly (number | undefined)[]) =>
    values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const rows = [...groupedBy(absent, ({ object }) => object)].map(([object, own]) => {
    const told = own.filter(({ estimate }) => estimate !== undefined);
    const picks = sum(told.map((one) => one.picks));
    return [
      object,
      own[0]!.threshold,
      sum(own.map((one) => one.picks)),
      told.length === 0 ? 'cannot tell' : percent(sum(told.map(({ estimate }) => estimate)), picks),
      told.length === 0 ? '–' : percent(sum(told.map(({ average }) => average)), picks),
    ];
  });
  return markdown(['object', 'threshold', 'picks', 'called false', 'by the average'], rows);
}

/** Of all cases with picks: how often the interval holds the number of false picks. */
export function coverage(cases: readonly Case[]): string {
  const told = cases.filter(({ interval }) => interval !== undefined);
  const held = told.filter(({ falsePicks, interval }) => interval![0] <= falsePicks && falsePicks <= interval![1]);
  return `${percent(held.length, told.length)} of ${told.length} cases with any pick`;
}

function markdown(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
