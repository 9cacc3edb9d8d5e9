import { readFileSync } from 'node:fs';
import { cziiRules, type ParticlePick, type Zyx } from 'cryoet-picks';

/** A crop of a tomogram in which template matching looked for particles. */
export interface Crop {
  readonly split: 'validate' | 'test';
  readonly run: string;
  /** First voxel and number of voxels along z, y, x. */
  readonly start: Zyx;
  readonly shape: Zyx;
  /** In Å. */
  readonly voxelSize: number;
  readonly candidates: readonly Candidate[];
}

interface Candidate {
  readonly object: string;
  /** Position in the tomogram, in Å. */
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Local normalised cross-correlation, −1 … 1. */
  readonly correlation: number;
  /** The correlation as robust deviations from the median over the crop, for this template. */
  readonly deviations: number;
}

/** What template-matching/match.py writes. */
export interface Matched {
  readonly rotations: number;
  readonly secondsPerMvoxel: { readonly wall: number; readonly cpu: number };
  readonly crops: readonly Crop[];
}

export function readMatched(path: string): Matched {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** How to make picks of candidates; chosen on the validation crops. */
export interface Rule {
  readonly score: 'correlation' | 'deviations';
  /**
   * Suppression across objects: of two candidates of different objects closer than this part of the sum of their radii, the one
   * with more deviations stays. 0: no suppression.
   */
  readonly apart: number;
}

export const rules: readonly Rule[] = (['correlation', 'deviations'] as const).flatMap((score) =>
  [0, 0.25, 0.5, 0.75].map((apart) => ({ score, apart })),
);

/** Makes the picks of a crop by a rule, without thresholds. */
export function picksBy({ score, apart }: Rule, { candidates }: Crop): ParticlePick[] {
  const kept: Candidate[] = [];
  for (const candidate of candidates.toSorted((a, b) => b.deviations - a.deviations)) {
    if (!kept.some((better) => areRivals(candidate, better, apart))) kept.push(candidate);
  }
  return kept.map(({ object, x, y, z, ...values }) => ({ object, position: { x, y, z }, score: values[score] }));
}

function areRivals(a: Candidate, b: Candidate, apart: number): boolean {
  if (a.object === b.object) return false;
  return Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z) < apart * (radiusOf(a.object) + radiusOf(b.object));
}

function radiusOf(object: string): number {
  const scored = Object.entries(cziiRules.objects).find(([name]) => name === object);
  if (scored === undefined) throw new Error(`${object} is not a particle of the competition`);
  return scored[1].radius;
}
