import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addHead,
  averageOf,
  computeFeatures,
  detectParticles,
  type FeatureModel,
  formatModelSpec,
  functionModel,
  matchPicks,
  onnxModel,
  type ParticlePick,
  parseModelSpec,
  planTiles,
  resampled,
  scoreSlabs,
  type TomogramFeatures,
  teach,
  type Warning,
  withFlips,
} from '../../src/entry/index.ts';
import { joinSlabs } from '../support/score-map.ts';
import { type Blobs, blobs, card, featuresOfBlobs, latticeOf, network, openNetwork, radius } from './blobs.ts';

let model: FeatureModel;
const [taughtOn, tested] = [blobs(1), blobs(2)];
let features: TomogramFeatures;
const few = (count: number) => [{ run: 'a', picks: taughtOn.particles.slice(0, count) }];

beforeAll(async () => {
  model = await openNetwork();
  features = await featuresOfBlobs(model, taughtOn);
});
afterAll(() => model.dispose());

/** F1 of picks against the particles. */
function f1(picks: readonly ParticlePick[], { particles }: Blobs): number {
  const own = picks.filter(({ object }) => object === 'blob');
  const { tp } = matchPicks(
    particles.map(({ position }) => position),
    own.map(({ position, score }) => ({ ...position, score })),
    { radius: 40, matching: 'greedy' },
  );
  return (2 * tp) / (own.length + particles.length);
}

describe('an object taught by picks', () => {
  it.each([true, false])(
    'is found by the saved model, whose scores are those that teach showed (keepKnown: %s)',
    async (keepKnown) => {
      const taught = await teach([features], few(5), { radius, keepKnown });
      const spec = parseModelSpec(formatModelSpec(taught.spec));
      expect(spec.classes).toEqual(keepKnown ? ['known', 'other', null, 'blob'] : ['blob']);
      const saved = await onnxModel(ort, await addHead(network, taught), { spec, threads: 1 });

      const picks = await detectParticles(tested.tomogram, { model: saved, objects: [{ name: 'blob' }] });
      expect(f1(picks, tested)).toBeGreaterThan(0.85);

      const plan = planTiles(tested.tomogram.grid.shape, spec);
      const map = await joinSlabs(scoreSlabs(tested.tomogram, { plan, model: saved }));
      const shown = await joinSlabs(taught.scoreSlabs(await featuresOfBlobs(model, tested)));
      const size = shown.data.length;
      const own = map.data.subarray(map.data.length - size);
      expect(Math.max(...shown.data)).toBeGreaterThan(0.9);
      for (let i = 0; i < size; i++) expect(Math.abs(own[i]! - shown.data[i]!)).toBeLessThan(1e-3);
      if (keepKnown) {
        const before = await joinSlabs(scoreSlabs(tested.tomogram, { plan, model }));
        for (let i = 0; i < 2 * size; i++) expect(Math.abs(map.data[i]! - before.data[i]!)).toBeLessThan(1e-5);
      }
      await saved.dispose();
    },
  );

  it('is taught to a network that was taught before', async () => {
    const first = await teach([features], few(5), { radius });
    const bytes = await addHead(network, first);
    const once = await onnxModel(ort, bytes, { spec: first.spec, threads: 1 });
    const dark = taughtOn.dim.slice(0, 5).map((pick) => ({ ...pick, object: 'dim' }));
    const second = await teach(
      [await computeFeatures(taughtOn.tomogram, { model: once, run: 'a' })],
      [{ run: 'a', picks: dark }],
      { radius },
    );
    const twice = await onnxModel(ort, await addHead(bytes, second), { spec: second.spec, threads: 1 });
    expect(twice.spec.classes).toEqual(['known', 'other', null, 'blob', 'dim']);
    expect(twice.spec.taught?.objects).toEqual(['blob', 'dim']);
    const tile = { data: Float32Array.from({ length: 4 ** 3 }, (_, i) => Math.sin(i)), shape: [1, 4, 4, 4] as const };
    const [before, after] = [await once.score(tile), await twice.score(tile)];
    expect(after.shape).toEqual([1, 5, 2, 2, 2]);
    for (let i = 0; i < before.data.length; i++) expect(after.data[i]).toBeCloseTo(before.data[i]!, 5);
    await Promise.all([once.dispose(), twice.dispose()]);
  });

  it('has a threshold and an expected score near what a truth gives, and a curve that ends with all picks', async () => {
    const taught = await teach([features], few(8), { radius });
    const [{ curve, particles, leftOut, unsure, thresholds }] = taught.objects as unknown as readonly [
      (typeof taught.objects)[0],
    ];
    expect(curve.map(({ picks }) => picks)).toEqual([3, 5, 8]);
    for (const { score } of curve) expect(score).toBeGreaterThan(0.8);
    expect(particles).toBeGreaterThan(0.6 * taughtOn.particles.length);
    expect(particles).toBeLessThan(1.5 * taughtOn.particles.length);
    expect(leftOut).toHaveLength(8);
    expect(thresholds.competition).toBeLessThanOrEqual(thresholds.balanced);
    expect(unsure.flatMap(({ picks }) => picks).length).toBeGreaterThan(0);
    expect(unsure.every(({ run }) => run === 'a')).toBe(true);
  });

  it('is taught by picks of several runs, and several objects at once', async () => {
    const b = await featuresOfBlobs(model, tested, 'b');
    const dark = tested.dark.slice(0, 4).map((pick) => ({ ...pick, object: 'dark' }));
    const picks = [...few(2), { run: 'b', picks: [...tested.particles.slice(0, 2), ...dark] }];
    const taught = await teach([features, b], picks, { radius: { blob: radius, dark: 50 } });
    expect(taught.objects.map((one) => [one.object, one.picks])).toEqual([
      ['blob', 4],
      ['dark', 4],
    ]);
    expect(taught.spec.minDistances).toEqual({ known: 40, other: 50, blob: radius, dark: 50 });
    const saved = await onnxModel(ort, await addHead(network, taught), { spec: taught.spec, threads: 1 });
    const third = blobs(3);
    const found = await detectParticles(third.tomogram, {
      model: saved,
      objects: [{ name: 'blob' }, { name: 'dark' }],
      thresholds: { blob: 0.05, dark: 0.05 },
    });
    const best = found.map((_, i) => f1(found.slice(0, i + 1), third));
    expect(Math.max(...best)).toBeGreaterThan(0.9);
    await saved.dispose();
  });

  it('learns from rejects that look like it', async () => {
    const rejects = [{ run: 'a', picks: taughtOn.dim }];
    const warnings: Warning[] = [];
    const taught = await teach([features], few(4), { radius, rejects, onWarning: (warning) => warnings.push(warning) });
    expect(taught.objects[0]).toMatchObject({ rejects: taughtOn.dim.length, rejectsDropped: false });
    expect(warnings).toEqual([]);
    const [head, plain] = [taught, await teach([features], few(4), { radius })].map(({ objects }) => objects[0]!.head);
    expect(head).not.toEqual(plain);
  });

  it('is learned without rejects where with them left-out picks are found later, which is said', async () => {
    // What is no particle lies above the particles in the second feature, and what was rejected below them.
    const { map, places } = await latticeOf({ particle: [4, 1], reject: [4, -4], other: [4, 6] });
    const picks = [{ run: 'a', picks: places.particle.slice(0, 4) }];
    const rejects = [{ run: 'a', picks: places.reject.slice(0, 12) }];
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => warnings.push(warning);
    const taught = await teach([map], picks, { radius, rejects, onWarning });
    expect(taught.objects[0]).toMatchObject({ rejects: 0, rejectsDropped: true });
    expect(warnings).toEqual([
      { code: 'rejects-dropped', message: expect.stringMatching(/^the 12 rejects of "blob" were left out: with them/) },
    ]);
    const plain = await teach([map], picks, { radius });
    expect(taught.objects[0]!.head).toEqual(plain.objects[0]!.head);
  });

  it('belongs to one network: another is refused by its SHA-256', async () => {
    const taught = await teach([features], few(3), { radius });
    expect(taught.spec.taught).toEqual({
      objects: ['blob'],
      network: 'six features',
      sha256: model.sha256,
      voxelSizes: [10],
    });
    await expect(addHead(Uint8Array.of(...network, 0), taught)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(`network "six features" (SHA-256 ${model.sha256}), not of this one`),
    });
  });

  it.each([true, false])(
    'has the calibration curves of the objects that its card knows (keepKnown: %s)',
    async (keepKnown) => {
      const calibrationCurves = { known: [[0.5, 0.3]] } as const;
      const calibrated = { ...features, spec: { ...features.spec, calibrationCurves } };
      const { spec } = await teach([calibrated], few(3), { radius, keepKnown });
      expect(parseModelSpec(formatModelSpec(spec)).calibrationCurves).toEqual(
        keepKnown ? calibrationCurves : undefined,
      );
    },
  );

  it('is not averaged by wrappers, which average logits', async () => {
    const { spec } = await teach([features], few(3), { radius });
    const own = { ...functionModel((voxels) => voxels, { classes: ['blob'] }), spec };
    for (const wrap of [() => withFlips(own, ['x']), () => averageOf(own, own)]) {
      expect(wrap).toThrow(
        expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining('averages logits') }),
      );
    }
  });

  it('is searched in voxels of another size with a warning', async () => {
    const taught = await teach([features], few(3), { radius });
    const saved = await onnxModel(ort, await addHead(network, taught), { spec: taught.spec, threads: 1 });
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => warnings.push(warning);
    await detectParticles(taughtOn.tomogram, { model: saved, onWarning });
    expect(warnings.map(({ code }) => code)).not.toContain('voxel-size-not-taught');
    await detectParticles(resampled(taughtOn.tomogram, 10.3), { model: saved, onWarning });
    expect(warnings).toContainEqual({
      code: 'voxel-size-not-taught',
      message: expect.stringContaining('"blob" of model "blob" was taught on voxels of 10 Å'),
    });
    await saved.dispose();
  });
});

describe('teach', () => {
  const at = (x: number, y = 200, z = 200): ParticlePick => ({ object: 'blob', position: { x, y, z }, score: 1 });
  const three = [at(100), at(200), at(300)];

  it.each<[string, Parameters<typeof teach>[1], Parameters<typeof teach>[2], string, string]>([
    ['no picks', [], {}, 'invalid-picks', 'there is no pick to learn from; expected at least 3'],
    [
      'two picks',
      [{ run: 'a', picks: three.slice(1) }],
      {},
      'invalid-picks',
      '2 picks of "blob" are too few to learn from; pick at least 3',
    ],
    [
      'picks all at one place',
      [{ run: 'a', picks: [at(100), at(101), at(99)] }],
      {},
      'invalid-picks',
      'all 3 picks of "blob" lie at one place',
    ],
    [
      'picks outside of the tomogram',
      [{ run: 'a', picks: [...three, at(9000)] }],
      {},
      'invalid-picks',
      'pick 3 of run "a" lies outside of the tomogram: x is 9000 Å',
    ],
    [
      'picks of a run without features',
      [{ run: 'b', picks: three }],
      {},
      'invalid-picks',
      'there are picks of run "b", but no features of it; there are features of "a"',
    ],
    [
      'rejects that are picks',
      [{ run: 'a', picks: three }],
      { rejects: [{ run: 'a', picks: [at(205)] }] },
      'invalid-picks',
      '1 of 1 rejects of "blob" lie where a pick is, the first at x 205, y 200, z 200 Å of run "a"',
    ],
    [
      'rejects of another object',
      [{ run: 'a', picks: three }],
      { rejects: [{ run: 'a', picks: [{ ...at(400), object: 'x' }] }] },
      'invalid-picks',
      'there are rejects of "x", but no picks of it',
    ],
    [
      'an object that the network knows',
      [{ run: 'a', picks: three.map((pick) => ({ ...pick, object: 'known' })) }],
      {},
      'invalid-option',
      'model "six features" finds "known" already',
    ],
    [
      'a radius as large as the tomogram',
      [{ run: 'a', picks: three }],
      { radius: 5000 },
      'invalid-option',
      '0 cells of the tomograms are far enough from all picks',
    ],
  ])('throws for %s, and says what would work', async (_, picks, options, code, message) => {
    await expect(teach([features], picks, options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('throws for features of two networks, and for none', async () => {
    const other = { ...features, run: 'b', sha256: 'another' };
    await expect(teach([features, other], few(3))).rejects.toThrow('features must be of one network');
    await expect(teach([features, features], few(3))).rejects.toThrow('features of run "a" twice');
    await expect(teach([], few(3))).rejects.toThrow('there are no features');
  });

  it('throws for a network without features, with what it would need', async () => {
    const plain = functionModel((voxels) => voxels, { classes: ['spot'] });
    await expect(computeFeatures(taughtOn.tomogram, { model: plain })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('this network gives no features'),
    });
    const taught = await teach([features], few(3), { radius });
    const identity = { ...taught, base: { spec: card } };
    await expect(addHead(new Uint8Array([1, 2, 3]), identity)).rejects.toThrow('these bytes are no ONNX file');
  });
});
