import { readFileSync, statSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chooseObjects,
  cziiRules,
  type Model,
  planTiles,
  type ScoreBatch,
  scoreSlabs,
  type Zyx,
} from '../../src/entry/index.ts';
import { loadModel } from '../../src/entry/node.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { joinSlabs } from '../support/score-map.ts';
import { noise as noiseOf, sourceOf } from '../support/volumes.ts';

const file = (name: string) => new URL(`../../models/${name}`, import.meta.url);

/** How far a score sees: 50 voxels, from kernels and poolings of its levels. In cells. */
const SIGHT = 25;

let model: Model;
beforeAll(async () => {
  model = await loadModel(ort, undefined, { threads: 2 });
});
afterAll(() => model.dispose());

/** The same noise wherever it is cut from. */
const shape: Zyx = [128, 128, 128];
const random = createRandom(11);
const noise = Float32Array.from({ length: voxelCount(shape) }, () => random.normal());

function cut(start: number, [depth, height, width]: Zyx): Float32Array {
  const part = new Float32Array(depth * height * width);
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const from = ((z + start) * shape[1] + y + start) * shape[2] + start;
      part.set(noise.subarray(from, from + width), (z * height + y) * width);
    }
  }
  return part;
}

/** Darkens balls with a radius of 7 voxels along the middle of a volume, for the network to see something. */
function withDarkBalls(voxels: Float32Array, [depth, height, width]: Zyx): Float32Array {
  for (let z = 0, i = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        if (Math.hypot(z - depth / 2, y - height / 2, (x % 23) - 11) < 7) voxels[i] -= 3;
      }
    }
  }
  return voxels;
}

function valueAt({ data, shape: [, , depth, height, width] }: ScoreBatch, channel: number, [z, y, x]: Zyx): number {
  return data[((channel * depth + z) * height + y) * width + x]!;
}

describe('the default network and its card', () => {
  it('the default network is small enough to be in the package and to be fetched by a page', () => {
    expect(statSync(file('default.onnx')).size).toBeLessThanOrEqual(3e6);
  });

  it('the card of the default network has two thresholds, the balanced one not the lower, and a distance for each particle of the competition, and background last', () => {
    const { classes, minDistances, contrast } = model.spec;
    const { thresholds, competitionThresholds = {} } = chooseObjects(model.spec);
    expect(classes).toEqual([...Object.keys(cziiRules.objects), null]);
    expect(contrast).toBe('dark');
    for (const [name, { radius }] of Object.entries(cziiRules.objects)) {
      expect(competitionThresholds[name]).toBeGreaterThan(0);
      expect(thresholds[name]).toBeGreaterThanOrEqual(competitionThresholds[name]!);
      expect(thresholds[name]).toBeLessThan(1);
      // Nearer ones could not both be right by half a radius; further ones would lose neighbours that touch.
      expect(minDistances[name]).toBeGreaterThan(0.5 * radius);
      expect(minDistances[name]).toBeLessThan(2 * radius);
    }
  });

  it('the card of the default network has a calibration for picks at its own distances', async () => {
    const { calibration = {}, minDistances } = model.spec;
    expect(Object.keys(calibration).length).toBeGreaterThan(3);
    for (const [object, { minDistance }] of Object.entries(calibration)) expect(minDistance).toBe(minDistances[object]);
  });

  it('the card of the default network says how it was made, and what it scored on unseen data', () => {
    const { provenance } = JSON.parse(readFileSync(file('default.json'), 'utf8'));
    expect(provenance).toMatchObject({
      limits: expect.arrayContaining([expect.any(String)]),
      training: {
        seed: expect.any(Number),
        steps: expect.any(Number),
        commit: expect.stringMatching(/^[0-9a-f]{40}\+?$/),
      },
      scores: { test: { tomograms: 20 }, hard: { tomograms: 20 } },
    });
    expect(Object.keys(provenance.scores.test.objects).sort()).toEqual(Object.keys(cziiRules.objects).sort());
  });

  it('the default network takes batches of any size that its card allows, each tile as if it were alone', async () => {
    const { tileMultiple = 0, outputStride } = model.spec;
    const size: Zyx = [2 * tileMultiple, 3 * tileMultiple, 5 * tileMultiple];
    const [first, second] = [cut(0, size), cut(9, size)];
    const both = await model.score({ data: Float32Array.from([...first, ...second]), shape: [2, ...size] });
    expect(both.shape).toEqual([2, model.spec.classes.length, ...size.map((edge) => edge / outputStride)]);
    const half = both.data.length / 2;
    for (const [i, tile] of [first, second].entries()) {
      const { data } = await model.score({ data: tile, shape: [1, ...size] });
      const alike = data.every((logit, j) => Math.abs(logit - both.data[i * half + j]!) <= 1e-4);
      expect(alike).toBe(true);
    }
  });

  it('the default network scores a volume the same if it is moved by a step of its coarsest level, away from the borders', async () => {
    const step = model.spec.tileMultiple ?? 0;
    const size: Zyx = [120, 120, 120];
    const [first, second] = await Promise.all(
      [0, step].map((start) => model.score({ data: cut(start, size), shape: [1, ...size] })),
    );
    const moved = step / model.spec.outputStride;
    let compared = 0;
    let largest = 0;
    for (let channel = 0; channel < model.spec.classes.length; channel++) {
      for (let z = SIGHT; z + moved < 60 - SIGHT; z++) {
        for (let y = SIGHT; y + moved < 60 - SIGHT; y++) {
          for (let x = SIGHT; x + moved < 60 - SIGHT; x++) {
            const there = valueAt(first!, channel, [z + moved, y + moved, x + moved]);
            largest = Math.max(largest, Math.abs(valueAt(second!, channel, [z, y, x]) - there));
            compared++;
          }
        }
      }
    }
    expect(compared).toBe(model.spec.classes.length * 6 ** 3);
    expect(largest).toBeLessThan(1e-3);
  });

  it('the default network scores a voxel that is far from every seam the same in any tiling, and as in one tile', async () => {
    const { tileMultiple, outputStride } = model.spec;
    const volume: Zyx = [32, 32, 246];
    const source = sourceOf(withDarkBalls(noiseOf(volume), volume), volume);
    const overlap: Zyx = [0, 0, 2 * outputStride * (SIGHT + 1)];
    const scoresOf = async (edge: number, tiles: number) => {
      const card = { tile: [32, 32, edge] as const, tileMultiple, outputStride };
      // Every score is that of the tile in which it is furthest from the edge.
      const plan = planTiles(volume, card, { overlap, window: 'crop' });
      expect(plan.tiles).toHaveLength(tiles);
      return joinSlabs(scoreSlabs(source, { plan, model }));
    };
    const whole = await scoresOf(248, 1);
    for (const [edge, tiles] of [
      [160, 3],
      [128, 6],
    ] as const) {
      const { data } = await scoresOf(edge, tiles);
      expect(data.reduce((worst, score, i) => Math.max(worst, Math.abs(score - whole.data[i]!)), 0)).toBeLessThan(1e-5);
    }
    // The network sees something in the balls.
    expect(whole.data.reduce((a, b) => Math.max(a, b))).toBeGreaterThan(0.1);
  });

  it('the default network finds nothing in noise without particles', async () => {
    const { data } = await model.score({ data: cut(0, [64, 64, 64]), shape: [1, 64, 64, 64] });
    const cells = 32 ** 3;
    let background = 0;
    for (let i = 0; i < cells; i++) {
      const logits = model.spec.classes.map((_, channel) => data[channel * cells + i]!);
      if (logits.indexOf(Math.max(...logits)) === model.spec.classes.length - 1) background++;
    }
    expect(background / cells).toBeGreaterThan(0.99);
  });
});
