// Whether our own chunk reader pays: the same volume read whole by zarrita with our checked codecs, on this thread and in our
// decode threads, and by openTomogram. Compares five alternating rounds in one process, on a small volume of its own.
//
//   npm run build && npx tsx --tsconfig bench/tsconfig.json bench/stages/zarrita-codecs.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zarr from 'zarrita';
import { type Compression, compressionOf } from '../../src/codecs/decode.ts';
import { registerCheckedCodecs } from '../../src/codecs/registry.ts';
import { openTomogram, type StoreKey, sourceFromArray, writeTomogram, type Zyx } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { decodePool } from '../../src/ome-zarr/decode-pool.ts';
import { wholeBox } from '../../test/support/volumes.ts';
import { median, print } from '../measure.ts';

const shape: Zyx = [184, 320, 320];
const rounds = 5;
const folder = mkdtempSync(join(tmpdir(), 'zarrita-codecs-'));

registerCheckedCodecs();
const checked = zarr.registry.get('numcodecs.blosc')!;

/** The same checks as those of the registered codec, in the threads that openTomogram decodes in. */
const threaded = (async () => ({
  fromConfig: (config: Record<string, unknown>, meta: Parameters<typeof compressionOf>[2]) => {
    const how: Compression = compressionOf('blosc', config, meta);
    return {
      kind: 'bytes_to_bytes',
      encode: () => Promise.reject(new Error('not needed')),
      async decode(bytes: Uint8Array) {
        const pool = await decodePool({});
        const chunk = [...meta.shape];
        const reply = await pool!.decode({ from: bytes, how, shape: chunk, extents: chunk, itemBytes: 4 });
        if (!(reply instanceof Uint8Array)) throw new Error(`the thread answered ${JSON.stringify(reply)}`);
        return reply;
      },
    };
  },
})) as unknown as typeof checked;

async function byZarrita(path: string, codec: typeof checked): Promise<number> {
  for (const id of ['blosc', 'numcodecs.blosc']) zarr.registry.set(id, codec);
  const store = directoryStore(path, { readOnly: true });
  const array = await zarr.open.v2(zarr.root({ get: (key: StoreKey) => store.get(key) }).resolve('0'), {
    kind: 'array',
  });
  const { data } = await zarr.get(array as zarr.Array<'float32'>);
  return data[data.length >> 1]!;
}

async function byOpenTomogram(path: string): Promise<number> {
  const { data } = await (await openTomogram(directoryStore(path, { readOnly: true }))).read(wholeBox(shape));
  return data[data.length >> 1]!;
}

try {
  const voxels = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) =>
    Math.fround(Math.sin(i * 0.37) + ((i * 7919) % 1000) / 1000),
  );
  for (const edge of [64, 128]) {
    const path = join(folder, `lz4-${edge}`);
    await writeTomogram(directoryStore(path), sourceFromArray({ data: voxels, shape }, { voxelSize: [10, 10, 10] }), {
      levels: 1,
      chunkShape: [edge, edge, edge],
    });
    const works: [string, () => Promise<number>][] = [
      ['zarrita, our codecs', () => byZarrita(path, checked)],
      ['zarrita, our codecs and threads', () => byZarrita(path, threaded)],
      ['openTomogram', () => byOpenTomogram(path)],
    ];
    const runs = works.map((): number[] => []);
    const results: number[] = [];
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const i of round % 2 === 0 ? [0, 1, 2] : [2, 1, 0]) {
        const start = performance.now();
        results[i] = await works[i]![1]();
        if (round > 0) runs[i]!.push((performance.now() - start) / 1000);
      }
    }
    for (const [i, [name]] of works.entries()) {
      const seconds = median(runs[i]!);
      print({ name: `${name} lz4-${edge}`, seconds, runs: runs[i]!, cpu: 0, memory: 0, result: results[i] });
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
