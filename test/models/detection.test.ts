import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { detectParticles } from '../../src/detect.ts';
import { competition } from '../../src/metric/competition.ts';
import { matchPicks } from '../../src/metric/match.ts';
import { scorePicks } from '../../src/metric/score.ts';
import { loadModel } from '../../src/node.ts';
import type { Pick } from '../../src/picks/pick.ts';
import { difficulties } from '../../src/simulate/difficulty.ts';
import { simulateTomogram } from '../../src/simulate/tomogram.ts';
import { sourceFromArray } from '../../src/volume/volume.ts';

/** The nearly round objects that the network hardly misses, and how many of each there are. */
const counts = { ribosome: 4, 'apo-ferritin': 30, 'virus-like-particle': 6 } as const;

let truth: readonly Pick[];
let picks: readonly Pick[];

beforeAll(async () => {
  const {
    volume,
    grid,
    picks: known,
  } = await simulateTomogram({
    ...difficulties.clean,
    shape: [64, 160, 160],
    seed: 1,
    counts,
  });
  const model = await loadModel(ort, undefined, { threads: 2 });
  truth = known;
  picks = await detectParticles(sourceFromArray(volume, grid), { model }).finally(() => model.dispose());
}, 60_000);

/** Where each found particle is, seen from where it truly is, in Å. */
function offsetsOf(object: keyof typeof counts): { x: number; y: number; z: number }[] {
  const [known, found] = [truth, picks].map((all) => all.filter((pick) => pick.object === object));
  const positions = [known, found].map((all) => all.map(({ position }) => position));
  const { pairs } = matchPicks(positions[0], positions[1], { radius: competition.objects[object].radius / 2 });
  return pairs.map(({ truth: t, candidate: c }) => {
    const [from, to] = [positions[0][t], positions[1][c]];
    return { x: to.x - from.x, y: to.y - from.y, z: to.z - from.z };
  });
}

describe('a simulated tomogram through the whole pipeline, with the network that comes along', () => {
  it('gives picks that lie on the particles, not half a voxel beside them', () => {
    const offsets = (Object.keys(counts) as (keyof typeof counts)[]).flatMap(offsetsOf);
    expect(offsets.length).toBeGreaterThanOrEqual(30);
    const meanOf = (axis: 'x' | 'y' | 'z') => offsets.reduce((sum, offset) => sum + offset[axis], 0) / offsets.length;
    // Measured: (-0.05, 0.71, 0.24) Å over 37. Half a voxel is 5 Å, and so is half a cell of the score map less half a voxel.
    for (const axis of ['x', 'y', 'z'] as const) expect(Math.abs(meanOf(axis)), axis).toBeLessThanOrEqual(3);
  });

  it('finds every virus-like particle and most of the rest, by the official score', () => {
    const { score, objects } = scorePicks([{ run: 'TS_1', truth, picks }], competition);
    expect(objects['virus-like-particle']).toMatchObject({ tp: 6, fn: 0 });
    // Measured: 0.54, with few of the hard particles to count.
    expect(score).toBeGreaterThan(0.35);
  });
});
