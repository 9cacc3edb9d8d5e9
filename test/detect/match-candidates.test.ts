import { beforeAll, describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  type MatchCandidatesOptions,
  type MatchedCandidates,
  type MatchThreads,
  matchCandidates,
  type ParticlePick,
  type Progress,
  picksFromCandidates,
  resampled,
  sourceFromArray,
  type VolumeSource,
} from '../../src/entry/index.ts';
import { drawMolecule, type SimulatedTomogram, simulateTomogram, speciesNamed } from '../../src/entry/simulate.ts';
import { angleBetween } from '../../src/match/rotations.ts';
import { answerMatchTask, type MatchTask } from '../../src/match/threads.ts';
import { identity, rotationOf } from '../../src/picks/rotation.ts';
import { squaredDistance } from '../../src/space/grid.ts';
import { noise, sourceOf } from '../support/volumes.ts';

/** The map of a molecule, bright, in a box of 400 Å. */
function mapOf(name: string): VolumeSource {
  const grid = { shape: [40, 40, 40] as const, voxelSize: [10, 10, 10] as const, origin: { x: 0, y: 0, z: 0 } };
  const volume = contiguousVolume(new Float32Array(40 ** 3), grid.shape);
  const position = { x: 195, y: 195, z: 195 };
  drawMolecule(volume, {
    grid,
    molecule: { species: speciesNamed(name), position, rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
  });
  return sourceFromArray(volume, grid);
}

const options = {
  ...{ object: 'ribosome', radius: 140, angleStep: 40, candidatesPerObject: 8 },
  wedge: { tiltRange: [-45, 45] },
} as const satisfies MatchCandidatesOptions;

describe('matchCandidates', { timeout: 200_000 }, () => {
  let simulated: SimulatedTomogram;
  let truth: readonly ParticlePick[];
  let found: MatchedCandidates;
  const progress: Progress[] = [];

  const nearest = (pick: ParticlePick) =>
    truth.reduce((a, b) =>
      squaredDistance(b.position, pick.position) < squaredDistance(a.position, pick.position) ? b : a,
    );
  const tomogram = () => sourceFromArray(simulated.volume, simulated.grid);

  beforeAll(async () => {
    const names = ['apo-ferritin', 'beta-amylase', 'beta-galactosidase', 'thyroglobulin', 'virus-like-particle'];
    const counts = { ...Object.fromEntries(names.map((name) => [name, 2])), ribosome: 4 };
    const scene = { shape: [48, 96, 96] as const, seed: 6, counts, decoys: 0.3, surroundings: {} };
    simulated = await simulateTomogram({ ...scene, noise: 0.5 });
    truth = simulated.picks.filter(({ object }) => object === 'ribosome');
    found = await matchCandidates(tomogram(), mapOf('ribosome'), {
      ...options,
      onProgress: (one) => progress.push(one),
    });
  }, 400_000);

  it('matchCandidates finds ribosomes between voxels, far better oriented than the coarse step', () => {
    expect(truth).toHaveLength(4);
    const picks = picksFromCandidates(found, { thresholds: found.lowestThresholds }).slice(0, 3);
    for (const pick of picks) {
      const { position, transform } = nearest(pick);
      expect(Math.sqrt(squaredDistance(position, pick.position))).toBeLessThan(12);
      expect(angleBetween(rotationOf(pick.transform) ?? identity, rotationOf(transform) ?? identity)).toBeLessThan(12);
    }
    expect(new Set(picks.map(nearest)).size).toBe(3);
  });

  it('matchCandidates has the true particles among its candidates, and a threshold that noise does not reach', () => {
    const picks = picksFromCandidates(found);
    expect(picks.length).toBeGreaterThanOrEqual(2);
    expect(picks).toHaveLength(found.chosen.picks);
    for (const pick of picks) expect(squaredDistance(nearest(pick).position, pick.position)).toBeLessThan(30 ** 2);
    expect(found.chosen.falsePicks).toBeLessThanOrEqual(0.05 * picks.length);
    expect(found.thresholds).toEqual({ ribosome: found.chosen.threshold });
  });

  it('matchCandidates tells how far it is, first of the orientations, then of the peaks', () => {
    const stages = progress.map(({ stage }) => stage);
    expect(stages.lastIndexOf('rotations')).toBeLessThan(stages.indexOf('picks'));
    expect(progress.at(-1)).toEqual({ stage: 'picks', done: found.scores.length, total: found.scores.length });
  });

  it('matchCandidates finds the same with threads', async () => {
    // Another process gets copies of all but the shared memory.
    const threads: MatchThreads = { count: 2, run: (task) => answerMatchTask(structuredClone(task) as MatchTask) };
    const short = { ...options, angleStep: 90, candidatesPerObject: 10 };
    const alone = await matchCandidates(tomogram(), mapOf('ribosome'), short);
    expect(await matchCandidates(tomogram(), mapOf('ribosome'), { ...short, threads })).toEqual(alone);
  });

  it('matchCandidates finds nothing in noise, at the faces neither, where voxels are mirrored', async () => {
    const shape = [40, 60, 60] as const;
    const empty = sourceOf(noise(shape, 3), shape, { voxelSize: [10, 10, 10] });
    const candidates = await matchCandidates(empty, mapOf('ribosome'), { ...options, angleStep: 90 });
    expect(candidates.scores.length).toBe(8);
    expect(picksFromCandidates(candidates)).toEqual([]);
  });

  it('matchCandidates stops at its signal, in the coarse search and in the fine one', async () => {
    for (const stage of ['rotations', 'picks']) {
      const controller = new AbortController();
      const onProgress = (one: Progress) => {
        if (one.stage === stage) controller.abort('enough');
      };
      const short = { ...options, angleStep: 180, signal: controller.signal, onProgress };
      await expect(matchCandidates(tomogram(), mapOf('ribosome'), short)).rejects.toBe('enough');
    }
  });

  it.each<[string, MatchCandidatesOptions, string]>([
    ['a template larger than the tomogram', { ...options, radius: 300 }, 'the template is 600 Å across, larger than'],
    ['a template smaller than two voxels', { ...options, radius: 15 }, 'is the voxel size of its map right?'],
    ['a symmetry that the map has not', { ...options, symmetry: 'O' }, 'has not the symmetry O: turned by one of its'],
    ['a group that there is not', { ...options, symmetry: 'Q' as never }, 'symmetry must be C1'],
    ['a threshold that no score reaches', { ...options, threshold: 5 }, 'threshold must be a score from 0 to 1'],
    [
      'a defocus in Å',
      { ...options, ctf: { defocus: 30_000 } },
      'defocus must be a defocus in µm, at most 100 on either side of 0',
    ],
    ['a share above 1', { ...options, maxFalse: 2 }, 'maxFalse must be a share from 0 to 1'],
    ['a step that takes for ever', { ...options, angleStep: 1 }, 'angleStep must be a step from 3.5 to 180 degrees'],
  ])('matchCandidates refuses %s, before it reads the tomogram', async (_, given, message) => {
    const unread: VolumeSource = { grid: simulated.grid, read: () => Promise.reject(new Error('it was read')) };
    await expect(matchCandidates(unread, mapOf('ribosome'), given)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message),
    });
  });

  it('matchCandidates refuses voxels at which no particle is resolved, and a tomogram without contrast', async () => {
    const shape = [40, 60, 60] as const;
    const flat = (edge: number) =>
      sourceOf(new Float32Array(40 * 60 * 60).fill(7), shape, { voxelSize: [edge, edge, edge] });
    await expect(matchCandidates(flat(40), mapOf('ribosome'), options)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('voxels of 40×40×40 Å; expected at most 21 Å'),
    });
    await expect(matchCandidates(flat(10), mapOf('ribosome'), { ...options, angleStep: 90 })).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringContaining('no place of the tomogram has a score'),
    });
  });

  it('matchCandidates finds the same places and orientations in voxels that are no cubes', async () => {
    const { grid } = simulated;
    const flat = resampled(tomogram(), [20, 10, 10]);
    const candidates = await matchCandidates(flat, mapOf('ribosome'), options);
    const picks = picksFromCandidates(candidates, { thresholds: candidates.lowestThresholds });
    expect(flat.grid.shape).not.toEqual(grid.shape);
    const right = picks.filter((pick) => {
      const { position, transform } = nearest(pick);
      const angle = angleBetween(rotationOf(pick.transform) ?? identity, rotationOf(transform) ?? identity);
      return squaredDistance(position, pick.position) < 12 ** 2 && angle < 12;
    });
    expect(new Set(right.map(nearest)).size).toBeGreaterThanOrEqual(3);
  });
});
