import {
  cziiRules,
  localMaxima,
  measureIntensity,
  memoryStore,
  openTomogram,
  type ParticlePick,
  planTiles,
  scorePicks,
  scoreSlabs,
  sourceFromArray,
  suppressNearby,
  toPick,
  writeTomogram,
  zScore,
} from '../../src/entry/index.ts';

/** What the page found out, for the test that opened it. */
export interface PageResult {
  readonly position: { readonly x: number; readonly y: number; readonly z: number };
  readonly picks: number;
  readonly score: number;
  readonly evalRefused: boolean;
}

const shape = [12, 20, 24] as const;
const planted = { z: 5, y: 9, x: 17 };

/** An uncompressed OME-Zarr 0.4 store with one bright voxel. */
function plantedStore(): ReturnType<typeof memoryStore> {
  const voxels = new Float32Array(shape[0] * shape[1] * shape[2]);
  voxels[(planted.z * shape[1] + planted.y) * shape[2] + planted.x] = 1;
  const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const axes = ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'angstrom' }));
  const coordinateTransformations = [{ type: 'scale', scale: [10, 10, 10] }];
  const array = {
    zarr_format: 2,
    shape,
    chunks: shape,
    dtype: '<f4',
    compressor: null,
    filters: null,
    order: 'C',
    fill_value: 0,
    dimension_separator: '/',
  };
  return memoryStore([
    ['/.zgroup', json({ zarr_format: 2 })],
    [
      '/.zattrs',
      json({ multiscales: [{ version: '0.4', axes, datasets: [{ path: '0', coordinateTransformations }] }] }),
    ],
    ['/0/.zarray', json(array)],
    ['/0/0/0/0', new Uint8Array(voxels.buffer)],
  ]);
}

function evalRefused(): boolean {
  try {
    new Function('return 1')();
    return false;
  } catch {
    return true;
  }
}

/** The same image, compressed as copick does: blosc-lz4. */
async function compressedStore(): Promise<ReturnType<typeof memoryStore>> {
  const store = memoryStore();
  const plain = await openTomogram(plantedStore());
  const { data } = await plain.read({ start: [0, 0, 0], end: shape });
  const stride = [shape[1] * shape[2], shape[2], 1];
  await writeTomogram(store, sourceFromArray({ data, shape, stride, offset: 0 }, { voxelSize: [10, 10, 10] }));
  return store;
}

async function run(store: ReturnType<typeof memoryStore>): Promise<PageResult> {
  const tomogram = await openTomogram(store);
  const plan = planTiles(tomogram.grid.shape, { tile: [8, 8, 8] }, { overlap: [2, 2, 2] });
  const model = {
    spec: {
      name: 'identity',
      tile: [8, 8, 8] as const,
      outputStride: 1 as const,
      voxelSize: 10,
      classes: ['ribosome'],
      activation: 'none' as const,
      normalization: 'z-score' as const,
      thresholds: {},
      minDistances: {},
    },
    async score({
      data,
      shape: [n, z, y, x],
    }: {
      data: Float32Array;
      shape: readonly [number, number, number, number];
    }) {
      return { data: data.slice(), shape: [n, 1, z, y, x] as const };
    },
    async dispose() {},
  };
  const normalize = zScore(await measureIntensity(tomogram));
  const found: ParticlePick[] = [];
  for await (const peak of localMaxima(scoreSlabs(tomogram, { plan, model, normalize }), { threshold: 1 })) {
    found.push(toPick(peak));
  }
  const picks = suppressNearby(found, { minDistance: cziiRules.objects.ribosome?.radius ?? 150 });
  const report = scorePicks([{ run: 'TS_1', truth: picks, picks }], cziiRules);
  return {
    position: picks[0]!.position,
    picks: picks.length,
    score: report.objects.ribosome!.fbeta,
    evalRefused: evalRefused(),
  };
}

Promise.all([run(plantedStore()), compressedStore().then(run)]).then(
  (results) => Object.assign(globalThis, { pageResult: results }),
  (error) => Object.assign(globalThis, { pageResult: { error: String(error?.stack ?? error) } }),
);
