import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { contiguousVolume, type NumericData, sourceFromArray, writeTomogram } from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';

/** Shape of every tomogram, of its chunks and its voxels in Å. */
export const shape = [32, 64, 64] as const;
const chunkShape = [32, 32, 32] as const;

/** Where a run is. */
export interface RunPlace {
  /** Folder of the tomogram, `…/denoised.zarr`. */
  readonly tomogram: string;
  /** Folder of the run in the overlay. */
  readonly overlay: string;
}

/** A way in which a run of a project is not as it should be, and what follows from it. */
export interface Kind {
  readonly name: string;
  /** The code of the error with which the run fails; or it is searched in silence, or with a line that names the run. */
  readonly expected: 'done' | 'warned' | (string & {});
  /** Whether picks are where voxels were lost, so that some may be missing. */
  readonly losesPicks?: boolean;
  /** Whether nothing is there whose path could be told; the name of the run is. */
  readonly hasNoPath?: boolean;
  /** Damages the tomogram, which was written before. */
  readonly tomogram?: (folder: string) => Promise<unknown>;
  /** Puts something into the overlay folder of the run, which is not there yet. */
  readonly overlay?: (folder: string) => Promise<unknown>;
}

/** Writes a tomogram as this soak has them: OME-Zarr 0.4 of two levels, four chunks in the finer one. */
export async function writeSoakTomogram(folder: string, data: NumericData): Promise<void> {
  const source = sourceFromArray(contiguousVolume(data, shape), { voxelSize: [10, 10, 10] });
  await writeTomogram(directoryStore(folder, { durable: false }), source, { levels: 2, chunkShape, overwrite: true });
}

const voxels = () => new Float32Array(shape[0] * shape[1] * shape[2]);
const chunk = (folder: string, last = '1') => join(folder, '0', '0', '0', last);

async function edit(path: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(path, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`${path} has nothing to change`);
  await writeFile(path, after);
}

const array = (folder: string, change: (json: Record<string, unknown>) => void) =>
  edit(join(folder, '0', '.zarray'), (text) => {
    const json = JSON.parse(text) as Record<string, unknown>;
    change(json);
    return JSON.stringify(json);
  });

/** Replaces the scale of the finer level. */
const scale = (folder: string, lengths: readonly unknown[]) =>
  edit(join(folder, '.zattrs'), (text) => {
    const json = JSON.parse(text);
    json.multiscales[0].datasets[0].coordinateTransformations[0].scale = lengths;
    return JSON.stringify(json);
  });

async function replaceBy(path: string, make: (path: string) => Promise<unknown>): Promise<void> {
  await rm(path, { recursive: true });
  await make(path);
}

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function link(path: string, target: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

const picksOf = (folder: string, user: string) => join(folder, 'Picks', `${user}_ribosome.json`);

/** Kinds of runs that cannot be searched: each must fail with its path, and the others must go on. */
export const broken: readonly Kind[] = [
  { name: 'no metadata of the level', expected: 'not-found', tomogram: (folder) => rm(join(folder, '0', '.zarray')) },
  {
    name: 'truncated metadata',
    expected: 'invalid-metadata',
    tomogram: (folder) => truncate(join(folder, '.zattrs'), 40),
  },
  { name: 'a truncated chunk', expected: 'corrupt-data', tomogram: (folder) => truncate(chunk(folder), 1000) },
  { name: 'an empty chunk', expected: 'corrupt-data', tomogram: (folder) => truncate(chunk(folder), 0) },
  {
    name: 'a chunk of zeros, as a full disk leaves it',
    expected: 'corrupt-data',
    tomogram: async (folder) => {
      const { length } = await readFile(chunk(folder));
      await writeFile(chunk(folder), new Uint8Array(length));
    },
  },
  {
    name: 'flipped bits in the header of a chunk',
    expected: 'corrupt-data',
    tomogram: async (folder) => {
      const bytes = await readFile(chunk(folder));
      for (let i = 0; i < 16; i++) bytes[i]! ^= 0xff;
      await writeFile(chunk(folder), bytes);
    },
  },
  {
    name: 'a wrong dtype',
    expected: 'corrupt-data',
    tomogram: (folder) =>
      array(folder, (json) => {
        json.dtype = '<f8';
      }),
  },
  {
    name: 'a dtype of no numbers',
    expected: 'unsupported',
    tomogram: (folder) =>
      array(folder, (json) => {
        json.dtype = '|S4';
      }),
  },
  {
    name: 'an unknown codec',
    expected: 'unsupported',
    tomogram: (folder) =>
      array(folder, (json) => {
        json.compressor = { id: 'secret' };
      }),
  },
  {
    name: 'a shape beyond all memory',
    expected: 'unsupported',
    tomogram: (folder) =>
      array(folder, (json) => {
        json.shape = [1e6, 1e6, 1e6];
      }),
  },
  {
    name: 'a constant tomogram',
    expected: 'corrupt-data',
    tomogram: (folder) => writeSoakTomogram(folder, voxels().fill(7)),
  },
  {
    name: 'a tomogram of NaN',
    expected: 'corrupt-data',
    tomogram: (folder) => writeSoakTomogram(folder, voxels().fill(Number.NaN)),
  },
  { name: 'an absurd scale', expected: 'invalid-option', tomogram: (folder) => scale(folder, [1e9, 1e9, 1e9]) },
  { name: 'a scale of zero', expected: 'invalid-metadata', tomogram: (folder) => scale(folder, [0, 0, 0]) },
  {
    name: 'a scale that is a word',
    expected: 'invalid-metadata',
    tomogram: (folder) => scale(folder, ['ten', 'ten', 'ten']),
  },
  {
    name: 'a voxel size that is not that of the model',
    expected: 'invalid-option',
    tomogram: (folder) => scale(folder, [14, 14, 14]),
  },
  {
    name: 'a foreign file where the tomogram belongs',
    expected: 'not-found',
    tomogram: (folder) => replaceBy(folder, (path) => writeFile(path, 'not a folder')),
  },
  {
    name: 'a dangling link where the tomogram belongs',
    expected: 'not-found',
    tomogram: (folder) => replaceBy(folder, (path) => symlink('/no/such/place', path)),
  },
  {
    name: 'an empty folder where the tomogram belongs',
    expected: 'not-found',
    tomogram: (folder) => replaceBy(folder, (path) => mkdir(path)),
  },
  {
    name: 'no tomogram',
    expected: 'not-found',
    hasNoPath: true,
    tomogram: (folder) => rm(dirname(folder), { recursive: true }),
  },
  {
    name: 'chunks missing beyond half',
    expected: 'corrupt-data',
    tomogram: async (folder) => {
      await rm(join(folder, '0', '0', '0'), { recursive: true });
      await rm(join(folder, '0', '0', '1', '0'));
    },
  },
  {
    name: 'a dangling link where a chunk belongs',
    expected: 'not-found',
    tomogram: (folder) => replaceBy(chunk(folder), (path) => symlink('/no/such/place', path)),
  },
  {
    name: 'a folder where a chunk belongs',
    expected: 'corrupt-data',
    tomogram: (folder) => replaceBy(chunk(folder), (path) => mkdir(path)),
  },
  {
    name: 'a chunk that links to itself',
    expected: 'unavailable',
    tomogram: (folder) => replaceBy(chunk(folder), (path) => symlink('1', path)),
  },
  {
    name: 'a chunk that no disk gives',
    expected: process.platform === 'linux' ? 'corrupt-data' : 'not-found',
    // Its length is 0, whatever can be read of it.
    tomogram: (folder) => replaceBy(chunk(folder), (path) => symlink('/proc/self/mem', path)),
  },
  {
    name: 'truncated picks JSON of this user',
    expected: 'conflict',
    overlay: (folder) => put(picksOf(folder, 'cryoet-picks_0'), '{"points": [{"loc'),
  },
  {
    name: 'a foreign file where the picks belong',
    expected: 'write-failed',
    overlay: (folder) => put(join(folder, 'Picks'), 'not a folder'),
  },
  {
    name: 'a foreign file where the run belongs',
    expected: 'write-failed',
    overlay: (folder) => put(folder, 'not a folder'),
  },
  {
    name: 'a folder where a picks file belongs',
    expected: 'corrupt-data',
    overlay: (folder) => mkdir(picksOf(folder, 'cryoet-picks_0'), { recursive: true }),
  },
  {
    name: 'a dangling link where the picks belong',
    expected: 'write-failed',
    overlay: (folder) => link(join(folder, 'Picks'), '/no/such/place'),
  },
];

/** Kinds of runs that look odd and can be searched. */
export const odd: readonly Kind[] = [
  {
    name: 'no metadata, so that the folder tells the voxel size',
    expected: 'warned',
    tomogram: (folder) => rm(join(folder, '.zattrs')),
  },
  {
    name: 'metadata of another kind',
    expected: 'warned',
    tomogram: (folder) => writeFile(join(folder, '.zattrs'), '[]'),
  },
  { name: 'one chunk missing of four', expected: 'warned', losesPicks: true, tomogram: (folder) => rm(chunk(folder)) },
  {
    name: 'some voxels of NaN',
    expected: 'warned',
    losesPicks: true,
    tomogram: async (folder) => {
      const data = voxels().map((_, i) => (i * 7919) % 101);
      await writeSoakTomogram(folder, data.fill(Number.NaN, 0, 50));
    },
  },
  { name: 'no coarse level', expected: 'done', tomogram: (folder) => rm(join(folder, '1'), { recursive: true }) },
  {
    name: 'foreign files beside the chunks',
    expected: 'done',
    tomogram: (folder) => put(join(folder, '0', 'Thumbs.db'), 'x'),
  },
  {
    name: 'truncated picks JSON of another user',
    expected: 'warned',
    overlay: (folder) => put(picksOf(folder, 'annotator_1'), '{"points": [{"loc'),
  },
  {
    name: 'a dangling link beside the picks',
    expected: 'done',
    overlay: (folder) => link(join(folder, 'Picks', 'notes'), '/no/such/place'),
  },
];
