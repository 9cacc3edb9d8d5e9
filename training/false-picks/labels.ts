import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  cziiRules,
  detectCandidates,
  type Model,
  matchPicks,
  type ParticlePick,
  picksFromCandidates,
  sourceFromArray,
  type VolumeSource,
  type Zyx,
} from 'cryoet-picks';
import { isCryoetPicksError, type SimulatedTomogram, simulateTomogram } from 'cryoet-picks/simulate';
import type { Planned, Purpose } from './tomograms.ts';

/** The picks of an object down to its floor, best first, and which of them are true. */
export interface Labelled {
  /** How many there are in truth. */
  readonly truth: number;
  readonly scores: readonly number[];
  /** 1 for a pick that is true, 0 for a false one. */
  readonly isTrue: readonly (0 | 1)[];
}

/** The picks of a tomogram. */
export interface LabelledTomogram {
  readonly name: string;
  readonly purpose: Purpose;
  readonly noise: number;
  readonly density: number;
  readonly shape: Zyx;
  readonly objects: Readonly<Record<string, Labelled>>;
}

/**
 * Simulates tomograms, and says which of the picks are true: a JSON file for each, in a folder. Files that are there are kept, so
 * that an interrupted call can be repeated.
 */
export async function labelTomograms(
  folder: string,
  planned: readonly Planned[],
  model: Model,
): Promise<LabelledTomogram[]> {
  await mkdir(folder, { recursive: true });
  const labelled: LabelledTomogram[] = [];
  for (const one of planned) {
    const path = join(folder, `${one.name}.json`);
    if (!existsSync(path)) {
      const started = performance.now();
      const { volume, grid, picks } = await simulate(one);
      const objects = await label(sourceFromArray(volume, grid), picks, model);
      const { name, purpose, noise, density } = one;
      await writeFile(
        `${path}.part`,
        `${JSON.stringify({ name, purpose, noise, density, shape: grid.shape, objects })}\n`,
      );
      await rename(`${path}.part`, path);
      console.error(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    labelled.push(JSON.parse(await readFile(path, 'utf8')));
  }
  return labelled;
}

/** Simulates a tomogram, with fewer particles if its ice is too thin for all. */
async function simulate({ options }: Planned): Promise<SimulatedTomogram> {
  for (let share = 1; ; share *= 0.8) {
    const counts = Object.fromEntries(
      Object.entries(options.counts ?? {}).map(([name, count]) => [name, Math.round(share * count)]),
    );
    try {
      return await simulateTomogram({ ...options, counts });
    } catch (error) {
      if (share < 0.2 || !isCryoetPicksError(error, 'invalid-option')) throw error;
    }
  }
}

async function label(
  tomogram: VolumeSource,
  truth: readonly ParticlePick[],
  model: Model,
): Promise<LabelledTomogram['objects']> {
  const candidates = await detectCandidates(tomogram, { model });
  const picks = picksFromCandidates(candidates, { thresholds: candidates.lowestThresholds, acrossObjects: false });
  return Object.fromEntries(candidates.objects.map((object) => [object, labelled(object, picks, truth)]));
}

/**
 * Which picks of an object are true. A pick is true if it lies within half the radius of a particle that no better pick has taken; so it
 * stays true or false whatever the threshold is.
 *
 * @param picks - Of all objects, best first, and so is the result.
 */
export function labelled(object: string, picks: readonly ParticlePick[], truth: readonly ParticlePick[]): Labelled {
  const places = truth.filter((one) => one.object === object).map(({ position }) => position);
  const found = picks.filter((one) => one.object === object);
  const points = found.map(({ position, score }) => ({ ...position, score }));
  const radius = cziiRules.matchFraction * cziiRules.objects[object]!.radius;
  const { pairs } = matchPicks(places, points, { radius, matching: 'greedy' });
  const hits = new Set(pairs.map(({ candidate }) => candidate));
  return {
    truth: places.length,
    scores: found.map(({ score }) => Number(score.toPrecision(6))),
    isTrue: found.map((_, index) => (hits.has(index) ? 1 : 0)),
  };
}
