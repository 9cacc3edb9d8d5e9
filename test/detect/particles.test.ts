import { describe, expect, it } from 'vitest';
import { parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import {
  chooseObjects,
  chooseThresholds,
  type DetectOptions,
  detectCandidates,
  detectParticles,
  formatSubmission,
  functionModel,
  localMaxima,
  type Model,
  memoryStore,
  openTomogram,
  type ParticlePick,
  parseSubmission,
  picksFromCandidates,
  planTiles,
  type ReadableStore,
  scoreSlabs,
  type TilePlan,
  toPhysical,
  toPick,
  type VolumeSource,
  type VoxelGrid,
  type Warning,
  writeTomogram,
  type Zyx,
} from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { coarseGrid } from '../../src/space/grid.ts';
import { countingSource } from '../support/counting-source.ts';
import { fakeModel, fakeSpec, identityModel } from '../support/identity-model.ts';
import { plantVoxels } from '../support/planted.ts';
import { sourceOf } from '../support/volumes.ts';

const grid: VoxelGrid = {
  shape: [21, 34, 27],
  voxelSize: [8.25, 10.012444, 11.5],
  origin: { x: -103.7, y: 51.25, z: 7.125 },
};

/** Scores each cell of `stride`³ voxels by its brightest voxel. */
function brightest(stride: 1 | 2 | 4, tile: Zyx): Model {
  return fakeModel(
    fakeSpec({ tile, outputStride: stride, classes: ['ribosome'] }),
    (voxels, [depth, height, width]) => {
      const [d, h, w] = [depth / stride, height / stride, width / stride];
      const scores = new Float32Array(d * h * w).fill(-Infinity);
      for (let i = 0; i < voxels.length; i++) {
        const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
        const cell = (Math.floor(z / stride) * h + Math.floor(y / stride)) * w + Math.floor(x / stride);
        scores[cell] = Math.max(scores[cell], voxels[i]);
      }
      return scores;
    },
  );
}

async function picksOf(source: VolumeSource, model: Model, plan: TilePlan): Promise<ParticlePick[]> {
  const found: ParticlePick[] = [];
  for await (const peak of localMaxima(scoreSlabs(source, { plan, model }), { threshold: 0.5 })) {
    found.push(toPick(peak));
  }
  return found;
}

const byPlace = (a: ParticlePick, b: ParticlePick): number =>
  a.position.z - b.position.z || a.position.y - b.position.y || a.position.x - b.position.x;

/** Writes a tomogram, reads it back, finds the voxels, writes picks, reads them, writes the CSV and reads that. */
async function allTheWay(data: Float32Array, stride: 1 | 2 | 4, tile: Zyx): Promise<ParticlePick[]> {
  const store = memoryStore();
  await writeTomogram(store, sourceOf(data, grid.shape, grid), { chunkShape: [8, 16, 8] });
  const tomogram = await openTomogram(store as ReadableStore);
  const plan = planTiles(tomogram.grid.shape, { tile, outputStride: stride });
  const found = await picksOf(tomogram, brightest(stride, tile), plan);

  const text = JSON.stringify({ overlay_root: 'overlay', pickable_objects: [{ name: 'ribosome', is_particle: true }] });
  const project = projectFromStores({ config: parseConfig(text, { source: 'test' }), overlay: memoryStore() });
  const run = await project.createRun('TS_1');
  await run.writePicks(found, { userId: 'test', sessionId: '1' });
  const picks = await run.picks({ userId: 'test' });
  return parseSubmission(formatSubmission([{ run: 'TS_1', picks }]))[0].picks.slice();
}

describe('planted voxels through write, read, tiles, peaks, picks JSON and CSV, on an anisotropic, translated grid', () => {
  it.each([
    { seed: 1, stride: 1, tile: [8, 12, 10] },
    { seed: 2, stride: 1, tile: [32, 8, 32] },
    { seed: 3, stride: 2, tile: [8, 12, 10] },
    { seed: 4, stride: 4, tile: [12, 16, 8] },
  ] as const)(
    'planted voxels come back at their position, or the centre of their cell: seed $seed, stride $stride',
    async ({ seed, stride, tile }) => {
      const { data, places } = plantVoxels(grid.shape, createRandom(seed));
      const found = (await allTheWay(data, stride, tile)).sort(byPlace);
      const cells = coarseGrid(grid, stride);
      const expected = places.map((place) =>
        toPhysical(cells, place.map((i) => Math.floor(i / stride)) as unknown as Zyx),
      );
      if (stride < 4) expect(found).toHaveLength(places.length);
      expect(found.length).toBeGreaterThan(10);
      // At stride 4 touching cells merge; whatever is found must still be a planted cell's centre.
      for (const { position } of found) {
        const errors = expected.map((p) =>
          Math.max(Math.abs(p.x - position.x), Math.abs(p.y - position.y), Math.abs(p.z - position.z)),
        );
        expect(Math.min(...errors)).toBeLessThanOrEqual(1e-6);
      }
    },
  );
});

describe('the same volume, cut differently', () => {
  const random = createRandom(7);
  const data = Float32Array.from({ length: 21 * 34 * 27 }, () => random.normal());
  const source = sourceOf(data, grid.shape, grid);

  it.each([
    { tile: [8, 8, 8], overlap: [2, 2, 2] },
    { tile: [8, 8, 8], overlap: [0, 0, 0] },
    { tile: [16, 10, 6], overlap: [9, 3, 5] },
    { tile: [64, 64, 64], overlap: [16, 16, 16] },
    { tile: [6, 40, 12], overlap: [3, 0, 4], axis: 0 },
    { tile: [6, 40, 12], overlap: [3, 0, 4], axis: 2 },
  ] as const)(
    'detectParticles gives identical picks however the volume is cut: tile $tile, overlap $overlap',
    async (cut) => {
      const whole = await picksOf(
        source,
        identityModel(),
        planTiles(grid.shape, { tile: grid.shape }, { overlap: [0, 0, 0] }),
      );
      const tiled = await picksOf(source, identityModel(), planTiles(grid.shape, cut, cut));
      const [expected, found] = [whole, tiled].map((picks) => picks.sort(byPlace));
      expect(expected.length).toBeGreaterThan(100);
      expect(found.map(({ object, position }) => ({ object, position }))).toEqual(
        expected.map(({ object, position }) => ({ object, position })),
      );
      for (const [i, { score }] of found.entries())
        expect(Math.abs(score - expected[i].score)).toBeLessThanOrEqual(1e-6);
    },
  );
});

describe('detectParticles', () => {
  const random = createRandom(9);
  const data = Float32Array.from({ length: 20 * 30 * 24 }, () => random.normal());
  const source = sourceOf(data, [20, 30, 24]);
  const model = identityModel({
    classes: ['ribosome', null, 'apo-ferritin'],
    normalization: 'z-score',
    thresholds: { ribosome: 1.5, 'apo-ferritin': 4 },
    minDistances: { ribosome: 40, 'apo-ferritin': 25 },
  });

  it('detectParticles makes tiles no larger than the volume needs if the model card has a tileMultiple', async () => {
    const sizes = new Set<string>();
    const tile = [32, 16, 32] as const;
    const large = identityModel({ ...model.spec, tile });
    const free = identityModel({ ...model.spec, tile, tileMultiple: 4 });
    const score = free.score.bind(free);
    free.score = (tiles) => {
      sizes.add(tiles.shape.join('×'));
      return score(tiles);
    };
    expect(await detectParticles(source, { model: free })).toEqual(await detectParticles(source, { model: large }));
    // Of a volume of 20×30×24: 30 takes three tiles of 16, which share at least 4, or four of 12.
    expect([...sizes]).toEqual(['1×20×16×24']);
  });

  it('detectParticles looks only for the objects asked for, with their thresholds and distances', async () => {
    const picks = await detectParticles(source, {
      model,
      objects: [{ name: 'ribosome' }, { name: 'membrane', isParticle: false }, { name: 'thyroglobulin' }],
      thresholds: { ribosome: 2 },
      minDistances: { ribosome: 80 },
    });
    expect(new Set(picks.map(({ object }) => object))).toEqual(new Set(['ribosome']));
    expect(Math.min(...picks.map(({ score }) => score))).toBeGreaterThanOrEqual(2);
  });

  it('detectParticles takes one threshold and one distance for all objects', async () => {
    const { classes } = chooseObjects(model.spec);
    const all = (value: number) => Object.fromEntries(classes.map((name) => [name, value]));
    const picks = await detectParticles(source, { model, thresholds: 2, minDistances: 60 });
    expect(picks).toEqual(await detectParticles(source, { model, thresholds: all(2), minDistances: all(60) }));
    expect(await detectParticles(source, { model, thresholds: 99 })).toEqual([]);
  });

  it('detectParticles with maxFalse picks at the thresholds that chooseThresholds gives for the candidates, down to their floors', async () => {
    const weights = { constant: -1, score: 0.4, sureScore: 0, sureDensity: 0, doubtfulDensity: 0 };
    const ribosome = { floor: 0.2, minDistance: 40, sure: 0.88, doubtful: 0.5, weights, concentration: 20 };
    const calibrated = identityModel({ ...model.spec, calibration: { ribosome } });
    const candidates = await detectCandidates(source, { model: calibrated });
    const thresholds = chooseThresholds(candidates, { maxFalse: 0.3 });
    expect(Object.keys(thresholds)).toEqual(['ribosome']);
    expect(thresholds.ribosome).toBeLessThan(1.5);
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => warnings.push(warning);
    expect(await detectParticles(source, { model: calibrated, maxFalse: 0.3, onWarning })).toEqual(
      picksFromCandidates(candidates, { thresholds }),
    );
    expect(warnings).toMatchObject([{ code: 'false-picks-unknown', message: expect.stringMatching(/"apo-ferritin"/) }]);
    const logits = await detectCandidates(source, { model: calibrated, average: 'logits' });
    expect(logits.calibration).toBeUndefined();
  });

  it('detectParticles reports progress that never falls and ends at its total', async () => {
    const seen: { stage: string; done: number; total: number }[] = [];
    await detectParticles(source, { model, onProgress: (progress) => seen.push(progress) });
    for (const stage of ['intensity', 'tiles']) {
      const events = seen.filter((event) => event.stage === stage);
      expect(new Set(events.map(({ total }) => total)).size).toBe(1);
      expect(events.map(({ done }) => done)).toEqual(events.map(({ done }) => done).sort((a, b) => a - b));
      expect(events.at(-1)?.done).toBe(events.at(-1)?.total);
    }
  });

  it.each([
    ['a constant volume', () => new Float32Array(512).fill(3), 'corrupt-data', /every one of its 512 voxels is 3/],
    ['a volume of NaN', () => new Float32Array(512).fill(NaN), 'corrupt-data', /finite/],
  ] as const)('detectParticles throws for %s', async (_, make, code, message) => {
    const flat = sourceOf(make(), [8, 8, 8]);
    await expect(detectParticles(flat, { model })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('detectParticles finds particles although some voxels are NaN, and warns', async () => {
    const holed = data.slice();
    for (let i = 0; i < holed.length; i += 97) holed[i] = NaN;
    const warnings: Warning[] = [];
    const picks = await detectParticles(sourceOf(holed, [20, 30, 24]), {
      model,
      onWarning: (warning) => warnings.push(warning),
    });
    expect(warnings).toEqual([
      { code: 'voxels-not-finite', message: '149 of 14400 voxels are not finite numbers; they count as the mean' },
    ]);
    expect(picks.length).toBeGreaterThan(20);
    expect(picks.every(({ score }) => Number.isFinite(score))).toBe(true);
  });

  it('detectParticles refuses a voxel size that the model was not made for', async () => {
    const fine = sourceOf(data, [20, 30, 24], { voxelSize: [7.84, 7.84, 7.84] });
    await expect(detectParticles(fine, { model })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/made for voxels of 10 Å, the tomogram has 7.84×7.84×7.84 Å/),
    });
  });

  it.each<[string, Partial<DetectOptions>, RegExp]>([
    ['a negative distance', { minDistances: { ribosome: -1 } }, /minDistances of "ribosome" .* ≥ 0 Å, found -1/],
    ['a distance that is NaN', { minDistances: { ribosome: Number.NaN } }, /minDistances of "ribosome".*NaN/],
    ['a threshold that is NaN', { thresholds: { ribosome: Number.NaN } }, /thresholds of "ribosome".*NaN/],
    ['a threshold of a misspelt object', { thresholds: { typo: 3 } }, /thresholds names "typo".*"ribosome", "apo-fer/],
    ['a distance of a misspelt object', { minDistances: { typo: 3 } }, /minDistances names "typo".*"ribosome", "apo-f/],
    ['a maximum of none', { max: { ribosome: 0 } }, /max of "ribosome" must be a whole number ≥ 1, found 0/],
    ['a maximum of a misspelt object', { max: { typo: 5 } }, /max names "typo"/],
    ['a mask that is no function', { mask: {} as never }, /mask must be a function of a position/],
    ['too much overlap', { overlap: [99, 0, 0] }, /overlap 99×0×0 must be below the tile/],
    [
      'an unknown average',
      { average: 'logit' as 'logits' },
      /average must be one of "probabilities", "logits", found "logit"/,
    ],
  ])('detectParticles throws for %s before it reads a voxel', async (_, options, message) => {
    const counted = { ...countingSource(data, [20, 30, 24]), grid: source.grid };
    const calls = model.calls;
    await expect(detectParticles(counted, { model, ...options })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message),
    });
    expect({ reads: counted.reads, calls: model.calls }).toEqual({ reads: 0, calls });
  });

  it('detectParticles throws if the model knows none of the objects, and names both', async () => {
    await expect(detectParticles(source, { model, objects: [{ name: 'proteasome' }] })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/"proteasome".*"ribosome", "apo-ferritin"/),
    });
  });
});

it('detectParticles ignores inherited properties in thresholds and distances, whatever a class is called', async () => {
  const data = new Float32Array(8 ** 3);
  data[(3 * 8 + 3) * 8 + 3] = 0.9;
  data[(3 * 8 + 3) * 8 + 5] = 0.8;
  const model = functionModel((voxels) => voxels, {
    classes: ['constructor'],
    tile: [8, 8, 8],
    normalization: 'none',
    thresholds: {},
    minDistances: {},
  });
  const source = sourceOf(data, [8, 8, 8]);
  const picks = await detectParticles(source, { model });
  expect(picks.map(({ object, score }) => [object, score.toFixed(3)])).toEqual([
    ['constructor', '0.900'],
    ['constructor', '0.800'],
  ]);
});
