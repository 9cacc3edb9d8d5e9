import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as onnxruntime from 'onnxruntime-node';
import * as copick from '../../../src/entry/copick.ts';
import { curveOf, parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import * as figure from '../../../src/entry/figure.ts';
import * as formats from '../../../src/entry/formats.ts';
import type { StoreKey } from '../../../src/entry/index.ts';
import * as core from '../../../src/entry/index.ts';
import {
  functionModel,
  memoryStore,
  type OrtModule,
  planTiles,
  type Store,
  sourceFromArray,
  writeTomogram,
} from '../../../src/entry/index.ts';
import * as io from '../../../src/entry/io.ts';
import { encodeMrc } from '../../../src/entry/io.ts';
import * as ndarray from '../../../src/entry/ndarray.ts';
import * as node from '../../../src/entry/node.ts';
import * as portal from '../../../src/entry/portal.ts';
import * as simulate from '../../../src/entry/simulate.ts';
import * as web from '../../../src/entry/web.ts';
import { fakePortal, portalFixture } from '../portal.ts';
import { zipBytes } from '../zip-bytes.ts';

// Right arguments

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** A file of `test/fixtures`. */
const fixture = (path: string): string => join(fixtures, path);

const point = () => ({ x: 10, y: 20, z: 30 });
const grid = () => ({ shape: [4, 6, 8], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } }) as const;
const placement = () => ({ voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } });
const picks = () => [
  { object: 'ribosome', position: { x: 10, y: 20, z: 30 }, score: 0.9 },
  { object: 'ribosome', position: { x: 12, y: 20, z: 30 }, score: 0.8 },
  { object: 'virus', position: { x: 40, y: 50, z: 20 }, score: 0.7, instanceId: 3 },
];
const candidates = () => ({
  grid: grid(),
  objects: ['ribosome', 'virus'],
  thresholds: { ribosome: 0.5, virus: 0.5 },
  minDistances: { ribosome: 10, virus: 10 },
  floors: { ribosome: 0.1, virus: 0.1 },
  lowestThresholds: { ribosome: 0.1, virus: 0.2 },
  objectIndices: Uint16Array.of(0, 0, 1),
  positions: Float64Array.of(10, 20, 30, 12, 20, 30, 40, 50, 20),
  scores: Float32Array.of(0.75, 0.5, 0.625),
});
/** The end of a channel whose other end is closed. */
const closedPort = () => {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  return port2;
};
const runs = () => [{ run: 'TS_1', picks: picks() }];
/** Picks of one object, as some formats hold them. */
const oneObject = () => [{ run: 'TS_1', picks: picks().slice(0, 2) }];
const scoredRuns = () => [{ run: 'TS_1', truth: picks().slice(1), picks: picks() }];
const rules = () => ({
  objects: { ribosome: { radius: 150, weight: 1 }, virus: { radius: 135, weight: 1 } },
  beta: 4,
  matchFraction: 0.5,
  weightSum: 2,
  matching: 'official' as const,
});
const volume = () => ({ data: Float32Array.from({ length: 192 }, (_, i) => i % 17), shape: [4, 6, 8] as const });
const fullVolume = () => ({ ...volume(), stride: [48, 8, 1] as const, offset: 0 });
const source = () => sourceFromArray(volume(), { voxelSize: [10, 10, 10] });
const labels = () =>
  sourceFromArray({ data: new Uint8Array(192).fill(1, 20, 40), shape: [4, 6, 8] }, { voxelSize: [10, 10, 10] });
const template = () => ({
  ...{ object: 'ribosome', voxelSize: 10, radius: 10 },
  volume: core.contiguousVolume(new Float32Array(125).fill(1, 50, 70), [5, 5, 5]),
  grid: { shape: [5, 5, 5], voxelSize: [5, 5, 5], origin: { x: -10, y: -10, z: -10 } },
});
const noThreads = () => ({ count: 0, run: () => Promise.reject(new Error('there is no thread')) });
const signal = () => new AbortController().signal;
const nothing = () => {};

const spec = () =>
  ({
    name: 'card',
    tile: [4, 4, 4],
    tileMultiple: 2,
    outputStride: 1,
    voxelSize: 10,
    classes: ['ribosome', 'virus'],
    activation: 'none',
    normalization: 'z-score',
    contrast: 'dark',
    thresholds: { ribosome: 0.5, virus: 0.5 },
    minDistances: { ribosome: 10, virus: 10 },
  }) as const;
const model = () =>
  functionModel((voxels) => Float32Array.from([...voxels, ...voxels]), { ...spec(), tileMultiple: undefined });
const featureModel = () => ({ ...model(), featureCount: 2 });
const lesson = (places: readonly number[]) =>
  places.map((i) => ({ object: 'moon', position: { x: 10 * i, y: 20, z: 10 }, score: 1 }));
const plan = () => planTiles([4, 6, 8], { tile: [4, 4, 4] });
const tiles = () => ({ data: new Float32Array(64), shape: [1, 4, 4, 4] as const });
const scoreSlab = () => ({
  grid: grid(),
  axis: 0 as const,
  start: 0,
  classes: ['ribosome'],
  scores: {
    data: Float32Array.from({ length: 192 }, (_, i) => (i * 7) % 31),
    shape: [1, 4, 6, 8],
    stride: [192, 48, 8, 1],
    offset: 0,
  } as const,
});
const intensity = () => ({
  count: 4,
  notFinite: 0,
  mean: 2.5,
  standardDeviation: 1.118,
  minimum: 1,
  maximum: 4,
  levels: Float32Array.of(1, 2, 3, 4),
  counts: Float64Array.of(1, 1, 1, 1),
});

/** A runtime of ONNX that answers with its input. */
const ort = () =>
  ({
    InferenceSession: {
      create: async () => ({
        inputNames: ['tiles'],
        outputNames: ['scores'],
        inputMetadata: [{ name: 'tiles', isTensor: true, type: 'float32', shape: ['n', 1, 'z', 'y', 'x'] }],
        outputMetadata: [{ name: 'scores', isTensor: true, type: 'float32', shape: ['n', 2, 'z', 'y', 'x'] }],
        run: async () => ({
          scores: { data: new Float32Array(128), dims: [1, 2, 4, 4, 4], type: 'float32', dispose: nothing },
        }),
        release: async () => {},
      }),
    },
    Tensor: class {
      constructor(
        readonly type: string,
        readonly data: Float32Array,
        readonly dims: readonly number[],
      ) {}

      dispose(): void {}
    },
    listSupportedBackends: () => [{ name: 'cpu', bundled: true }],
  }) as unknown as OrtModule;

const point1 = {
  location: { x: 10, y: 20, z: 30 },
  transformation_: [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ],
  instance_id: 1,
  score: 0.5,
};
const picksText = () =>
  JSON.stringify({
    pickable_object_name: 'ribosome',
    user_id: 'me',
    session_id: '1',
    run_name: 'TS_1',
    points: [point1],
  });
const configText = () =>
  JSON.stringify({
    config_type: 'filesystem',
    name: 'test',
    overlay_root: 'overlay',
    static_root: 'static',
    pickable_objects: [
      { name: 'ribosome', is_particle: true, label: 1, radius: 150 },
      { name: 'virus', is_particle: true, label: 2, radius: 135 },
      { name: 'actin', is_particle: true, label: 3, radius: 40, metadata: { filament: { polar: true } } },
    ],
  });
const config = () => parseConfig(configText(), { source: 'copick.json' });
const pickable = () => ({
  name: 'ribosome',
  isParticle: true,
  label: 1,
  color: [1, 2, 3, 255] as const,
  radius: 150,
  metadata: {},
});
const filament = () => ({
  instanceId: 1,
  points: [
    { x: 0, y: 0, z: 0 },
    { x: 40, y: 0, z: 0 },
    { x: 80, y: 10, z: 0 },
  ],
});
const curve = () => curveOf(filament());
const filamentsFile = () => ({ object: 'actin', userId: 'me', sessionId: '1', filaments: [filament()] });

/** The bytes of a GLB file without content. */
function glb(): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x46546c67, true);
  view.setUint32(4, 2, true);
  view.setUint32(8, 12, true);
  return bytes;
}

type Entries = readonly (readonly [StoreKey, Uint8Array])[];

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

async function entriesOf(store: Store, folder: StoreKey = '/'): Promise<Entries> {
  const all = (await store.list(folder)).map(async ({ name, kind }): Promise<Entries> => {
    const key: StoreKey = folder === '/' ? `/${name}` : `${folder}/${name}`;
    return kind === 'folder' ? entriesOf(store, key) : [[key, (await store.get(key)) as Uint8Array]];
  });
  return (await Promise.all(all)).flat();
}

const imageEntries = once(async () => {
  const store = memoryStore();
  await writeTomogram(store, source(), { levels: 2, chunkShape: [4, 4, 4] });
  return entriesOf(store);
});

/** A store that holds one image. */
const imageStore = async (): Promise<Store> => memoryStore(await imageEntries());

const projectEntries = once(async () => {
  const overlay = memoryStore();
  const project = projectFromStores({ config: config(), overlay });
  const run = await project.createRun('TS_1');
  await run.writeTomogram(source(), { type: 'denoised' });
  await run.writeFeatures(source(), { type: 'denoised', featureType: 'sobel' });
  await run.writePicks(picks(), { userId: 'me', sessionId: '1' });
  await run.writeCandidates(candidates(), { userId: 'me', sessionId: '1', provenance: { seed: 1 } });
  await run.writeSegmentation(labels(), { name: 'ribosome', userId: 'me', sessionId: '1' });
  await run.writeMesh(glb(), { object: 'ribosome', userId: 'me', sessionId: '1' });
  await run.writeFilaments([filament()], { object: 'actin', userId: 'me', sessionId: '1' });
  await project.writeObjectMap(source(), { object: 'ribosome' });
  return entriesOf(overlay);
});

/** A project in memory with one run that holds one entity of each kind. */
async function project() {
  return projectFromStores({ config: config(), overlay: memoryStore(await projectEntries()), source: 'copick.json' });
}

/** A project with an empty overlay on disk. */
async function projectOnDisk() {
  const overlay = node.directoryStore(mkdtempSync(join(folder, 'overlay-')));
  return projectFromStores({ config: config(), overlay, static: memoryStore(await projectEntries()) });
}

const run = async () => (await project()).run('TS_1');

/** The bytes of an MRC file. */
const mrcBytes = once(async () => {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeMrc(source())) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
});

const tiffBytes = () => new Uint8Array(readFileSync(fixture('tiff/float32.tif')));
const onnxBytes = () => new Uint8Array(readFileSync(fixture('onnx/identity.onnx')));
const onnxWithFeatures = () => new Uint8Array(readFileSync(fixture('onnx/features.onnx')));
const zipBlob = () => new Blob([zipBytes([{ name: 'a/b', data: new Uint8Array(4) }]) as Uint8Array<ArrayBuffer>]);

/** A web server of one file, `/a`. */
const fetchOne = async (url: string): Promise<Response> =>
  new URL(url).pathname === '/a' ? new Response(new Uint8Array(4)) : new Response('', { status: 404 });

/** A web server of the Croissant of the fixtures. */
async function fetchCroissant(url: string): Promise<Response> {
  const file = fixture(`croissant${decodeURIComponent(new URL(url).pathname)}`);
  const isFile = existsSync(file) && statSync(file).isFile();
  return isFile ? new Response(new Uint8Array(readFileSync(file))) : new Response('', { status: 404 });
}

const portalOptions = () => ({
  datasetIds: [...portalFixture<{ readonly dataset_ids: readonly number[] }>('copick.json').dataset_ids],
  objects: [{ ...pickable(), identifier: 'GO:0022626' }],
  endpoint: 'https://portal.example/graphql',
  fetch: fakePortal().fetch,
  headers: {},
  timeout: 1000,
});

// Functions and methods

/** All entries, by path. */
export const entries: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'cryoet-picks': core,
  'cryoet-picks/copick': copick,
  'cryoet-picks/figure': figure,
  'cryoet-picks/formats': formats,
  'cryoet-picks/io': io,
  'cryoet-picks/ndarray': ndarray,
  'cryoet-picks/node': node,
  'cryoet-picks/portal': portal,
  'cryoet-picks/simulate': simulate,
  'cryoet-picks/web': web,
};

/** A function with right arguments, made anew for each call. */
export interface Call {
  readonly call: (...args: unknown[]) => unknown;
  readonly args: readonly unknown[];
}

/** A public function, or a method of what one returns. */
export interface Subject {
  /** `dbscan`, `Run.picks`. */
  readonly name: string;
  /** Names of its arguments. */
  readonly args: readonly string[];
  readonly make: () => Promise<Call>;
}

type Args = readonly unknown[];
// biome-ignore lint/suspicious/noExplicitAny: functions of any signature are called with anything
type AnyFunction = (...args: any[]) => unknown;

const list = (names: string) => names.split(' ').filter((name) => name !== '');

function fn(name: string, names: string, call: AnyFunction, args: () => Args | Promise<Args>): Subject {
  return { name, args: list(names), make: async () => ({ call, args: await args() }) };
}

/** An object of a kind, whose methods are subjects. */
export interface Kind {
  readonly name: string;
  readonly make: () => object | Promise<object>;
}

function methods(
  name: string,
  makeObject: () => object | Promise<object>,
  table: Readonly<Record<string, readonly [names: string, args: () => Args | Promise<Args>]>>,
): { readonly kind: Kind; readonly subjects: readonly Subject[] } {
  const subjects = Object.entries(table).map(([method, [names, args]]): Subject => {
    const makeCall = async (): Promise<Call> => {
      const object = (await makeObject()) as Record<string, AnyFunction>;
      return { call: (...given) => object[method]!(...given), args: await args() };
    };
    return { name: `${name}.${method}`, args: list(names), make: makeCall };
  });
  return { kind: { name, make: makeObject }, subjects };
}

const wait = () => ({ signal: signal() });
const key = ['key options', () => ['/a', wait()]] as const;
/** A folder that a browser would give, with nothing in it. */
class EmptyFolder {
  readonly kind = 'directory';
  readonly name = 'empty';
  async getDirectoryHandle(): Promise<never> {
    throw new DOMException('it is not there', 'NotFoundError');
  }
  async getFileHandle(): Promise<never> {
    throw new DOMException('it is not there', 'NotFoundError');
  }
  async removeEntry(): Promise<never> {
    throw new DOMException('it is not there', 'NotFoundError');
  }
  async *values(): AsyncGenerator<never> {}
}

const reading = {
  get: key,
  getRange: ['key range options', () => ['/a', { offset: 0, length: 2 }, wait()]],
} as const;
const sizes = { size: key } as const;
const listing = { list: ['folder options', () => ['/', wait()]] } as const;
const writing = {
  set: ['key value options', () => ['/b', new Uint8Array(2), { ifVersion: null, ...wait() }]],
  delete: ['key options', () => ['/a', wait()]],
} as const;
const box = () => ({ start: [0, 0, 0], end: [2, 3, 4] });
const sourceMethods = {
  read: ['box options', () => [box(), { ...wait(), out: new Float32Array(24), lend: true, exact: false }]],
} as const;
const warned = { ...sourceMethods, warnings: ['', () => []] } as const;
const opening = () => ({
  level: 0,
  voxelSize: 10,
  fallbackVoxelSize: 10,
  trueVoxelSize: 10,
  cacheBytes: 1e6,
  zarrFormat: 2,
  decodeWorkers: { count: 0 },
  ...wait(),
});
const open = ['options', () => [opening()]] as const;
const remove = ['options', () => [wait()]] as const;
const removeFile = ['options', () => [{ ...wait() }]] as const;
const readFile = ['options', () => [wait()]] as const;
const modelMethods = {
  score: ['tiles options', () => [tiles(), { ...wait(), transfer: false }]],
  dispose: ['', () => []],
} as const;
const formatMethods = (content: () => string | Uint8Array) =>
  ({
    parse: ['content source', () => [content(), 'picks']],
    format: ['runs', () => [oneObject()]],
  }) as const;
const store = () => core.memoryStore([['/a', new Uint8Array(4)]]);
const folder = mkdtempSync(join(tmpdir(), 'cryoet-picks-misuse-'));
writeFileSync(join(folder, 'a'), 'abcd');
writeFileSync(join(folder, 'copick.json'), configText());
const mine = { userId: 'me', sessionId: '1' } as const;
const writeVolume = { format: 'zarr2', chunkShape: [4, 4, 4], overwrite: true, onProgress: nothing } as const;
const imageOptions = () => ({
  ...writeVolume,
  ...wait(),
  levels: 1,
  dtype: 'float32',
  metadata: {},
  name: 'image',
  coarse: 'mean',
  onWarning: nothing,
});
const scene = () => ({
  shape: [8, 16, 16],
  voxelSize: [10, 10, 10],
  seed: 1,
  counts: { ribosome: 0 },
  iceThickness: 50,
  cargo: 0,
  clustering: 0,
  surroundings: { vesicles: 0 },
  decoys: 0,
});
const imaging = () => ({
  noise: 1,
  filter: 'denoised',
  tiltRange: [-45, 45],
  tiltStep: 10,
  defocus: 3,
  amplitudeContrast: 0.07,
  dose: 100,
  alignmentError: 1,
  contrast: 1,
  curve: 1,
});
const formatOptions = () => ({
  voxelSize: 10,
  shape: [64, 400, 400],
  shapes: { TS_1: [64, 400, 400] },
  object: 'ribosome',
  objects: { 1: 'ribosome', 2: 'virus' },
  run: 'TS_1',
  runs: { 1: 'TS_1' },
});
const detection = () => ({
  model: model(),
  objects: [{ name: 'ribosome', isParticle: true, radius: 150 }],
  thresholds: { ribosome: 0.5 },
  minDistances: 10,
  overlap: [1, 1, 1],
  average: 'probabilities',
  batch: 1,
  onProgress: nothing,
  onWarning: nothing,
  allowMissingChunks: false,
  ...wait(),
});
const mesh = () => glb();
const who = () => ({ object: 'ribosome', ...mine });
const firstOf = async <T>(items: Promise<readonly T[]>): Promise<T> => (await items)[0] as T;
const slabs = () => [scoreSlab()];
const http = () => ({
  fetch: fetchOne,
  headers: { accept: '*/*' },
  tries: 1,
  retryFor: 0,
  timeout: 1000,
  maxGapBytes: 10,
  maxBytes: 100,
  maxRequests: 2,
});
const croissantUrl = 'https://croissant.example/Croissant/metadata.json';

const contents: Readonly<Record<string, () => string | Uint8Array>> = Object.fromEntries(
  formats.picksFormatNames.map((name) => {
    const options = formatOptions() as unknown as formats.FormatOptions;
    return [
      name,
      () => formats.formatPicks(oneObject(), { format: formats.picksFormat(name, options) as core.PicksFormat }),
    ];
  }),
);

const formatKinds = formats.picksFormatNames.map((name) =>
  methods(
    `PicksFormat(${name})`,
    () => formats.picksFormat(name, formatOptions() as unknown as formats.FormatOptions),
    formatMethods(contents[name]!),
  ),
);

const kinds = [
  methods('Project', project, {
    runs: ['options', () => [{ ...wait() }]],
    splits: ['options', () => [wait()]],
    run: ['name options', () => ['TS_1', wait()]],
    find: ['kind uri options', () => ['picks', 'ribosome:*/*', { runs: ['TS_1'], includeShadowed: true, ...wait() }]],
    refresh: ['', () => []],
    object: ['name', () => ['ribosome']],
    requireWritable: ['options', () => [wait()]],
    createRun: ['name options', () => ['TS_2', wait()]],
    deleteRun: ['name options', () => ['TS_1', wait()]],
    objectMaps: ['filter', () => [{ object: 'ribosome', includeShadowed: true, ...wait() }]],
    writeObjectMap: ['map options', () => [source(), { object: 'ribosome', ...writeVolume, ...wait() }]],
  }),
  methods('Run', run, {
    voxelSpacings: ['options', () => [{ includeShadowed: true, ...wait() }]],
    createVoxelSpacing: ['voxelSpacing options', () => [20, wait()]],
    tomograms: ['filter', () => [{ type: 'denoised', voxelSpacing: 10, includeShadowed: true, ...wait() }]],
    tomogram: ['type options', () => ['denoised', { voxelSpacing: 10, ...opening() }]],
    pickSets: ['filter', () => [{ ...who(), includeShadowed: true, ...wait() }]],
    picks: ['filter', () => [{ ...who(), includeShadowed: true, ...wait() }]],
    hasPicks: ['options', () => [{ ...mine, objects: ['ribosome'], ...wait() }]],
    requireWritable: ['options', () => [wait()]],
    writeCandidates: ['candidates options', () => [candidates(), { ...mine, provenance: { seed: 1 }, ...wait() }]],
    readCandidates: ['options', () => [{ ...mine, expected: { seed: 1 }, ...wait() }]],
    hasCandidates: ['options', () => [{ ...mine, ...wait() }]],
    deleteCandidates: ['options', () => [{ ...mine, ...wait() }]],
    writePicks: [
      'picks options',
      () => [
        picks(),
        {
          ...mine,
          objects: ['ribosome'],
          ifVersion: {},
          object: 'ribosome',
          voxelSpacing: 10,
          trustOrientation: true,
          unknown: { a: 1 },
          files: [],
          ...wait(),
        },
      ],
    ],
    writeTomogram: [
      'source options',
      () => [source(), { type: 'wbp', levels: 1, dtype: 'float32', voxelSpacing: 10, ...writeVolume, ...wait() }],
    ],
    features: [
      'filter',
      () => [{ type: 'denoised', featureType: 'sobel', voxelSpacing: 10, includeShadowed: true, ...wait() }],
    ],
    writeFeatures: [
      'features options',
      () => [
        [source()],
        {
          type: 'denoised',
          featureType: 'edges',
          names: ['a'],
          dtype: 'float32',
          voxelSpacing: 10,
          ...writeVolume,
          ...wait(),
        },
      ],
    ],
    segmentations: [
      'filter',
      () => [{ name: 'ribosome', ...mine, voxelSpacing: 10, kind: ['binary'], includeShadowed: true, ...wait() }],
    ],
    writeSegmentation: [
      'labels options',
      () => [
        labels(),
        {
          name: 'virus',
          ...mine,
          kind: 'binary',
          dtype: 'uint8',
          levels: 1,
          voxelSpacing: 10,
          ...writeVolume,
          ...wait(),
        },
      ],
    ],
    meshes: ['filter', () => [{ ...who(), includeShadowed: true, ...wait() }]],
    writeMesh: ['bytes options', () => [mesh(), { ...who(), overwrite: true, ...wait() }]],
    filaments: ['filter', () => [{ object: 'actin', ...mine, includeShadowed: true, ...wait() }]],
    writeFilaments: [
      'filaments options',
      () => [
        [filament()],
        { object: 'actin', ...mine, voxelSpacing: 10, formatVersion: 1, unknown: {}, overwrite: true, ...wait() },
      ],
    ],
    delete: remove,
  }),
  methods('PickSet', async () => firstOf((await run()).pickSets()), {
    read: readFile,
    origin: readFile,
    delete: removeFile,
  }),
  methods('MeshEntry', async () => firstOf((await run()).meshes()), {
    read: readFile,
    version: readFile,
    delete: removeFile,
  }),
  methods('FilamentsEntry', async () => firstOf((await run()).filaments()), {
    read: readFile,
    delete: removeFile,
  }),
  methods('TomogramEntry', async () => firstOf((await run()).tomograms()), {
    open,
    features: ['filter', () => [{ featureType: 'sobel', includeShadowed: true, ...wait() }]],
    delete: remove,
  }),
  methods('FeaturesEntry', async () => firstOf((await run()).features()), { open, delete: remove }),
  methods('SegmentationEntry', async () => firstOf((await run()).segmentations()), { open, delete: remove }),
  methods('ObjectMapEntry', async () => firstOf((await project()).objectMaps()), { open, delete: remove }),
  methods('VoxelSpacingEntry', async () => firstOf((await run()).voxelSpacings()), { delete: remove }),
  methods('sourceFromArray()', source, sourceMethods),
  methods('resampled()', () => core.resampled(source(), 20), {
    ...warned,
    read: ['box options', () => [{ start: [0, 0, 0], end: [2, 3, 4] }, wait()]],
  }),
  methods('Tomogram', async () => core.openTomogram(await imageStore()), warned),
  methods('Channel', async () => firstOf(io.openChannels(await imageStore())), warned),
  methods('MrcVolume', async () => io.openMrc(await mrcBytes()), warned),
  methods('TiffStack', () => io.openTiffStack(tiffBytes()), warned),
  methods('memoryStore()', store, { ...reading, ...listing, ...writing, version: key }),
  methods('subStore()', () => core.subStore(core.memoryStore([['/b/a', new Uint8Array(4)]]), '/b'), {
    ...reading,
    ...listing,
    ...writing,
    version: key,
  }),
  methods('readOnlyStore()', () => io.readOnlyStore(store(), { reason: 'it is read-only' }), {
    ...reading,
    ...listing,
    ...writing,
    version: key,
  }),
  methods('httpStore()', () => core.httpStore('https://host.example', http()), {
    ...reading,
    ...sizes,
    refresh: ['', () => []],
  }),
  methods('servedStore()', () => web.servedStore('https://host.example/data/overlay', { fetch: http().fetch }), {
    ...reading,
    ...sizes,
    ...listing,
    ...writing,
    version: key,
    refresh: ['', () => []],
  }),
  methods('handleStore()', () => web.handleStore(new EmptyFolder() as never), {
    ...reading,
    ...sizes,
    ...listing,
    ...writing,
    version: key,
  }),
  methods('fileListStore()', () => web.fileListStore([new File(['abcd'], 'a')]), {
    ...reading,
    ...sizes,
    ...listing,
  }),
  methods('s3Store()', () => io.s3Store('https://host.example/bucket', http()), {
    ...reading,
    ...listing,
    refresh: ['', () => []],
  }),
  methods('coalesced()', () => io.coalesced(store()), { ...reading, ...listing }),
  methods('withConsolidated()', () => io.withConsolidated(store()), { ...reading, ...listing }),
  methods('zipStore()', () => io.zipStore(zipBlob()), { ...reading, ...listing }),
  // A folder of its own for each, so that the calls before do not matter.
  methods('directoryStore()', () => node.directoryStore(mkdtempSync(join(folder, 'store-'))), {
    ...reading,
    ...sizes,
    ...listing,
    ...writing,
    version: key,
    pathOf: ['key', () => ['/a']],
    setPieces: [
      'key pieces options',
      () => [
        '/b',
        (async function* () {
          yield new Uint8Array(2);
        })(),
        wait(),
      ],
    ],
    tidy: ['folder options', () => ['/c', wait()]],
    stage: ['folder options', () => ['/c', wait()]],
  }),
  methods('overlayClaims()', async () => node.overlayClaims(await projectOnDisk(), { lease: 5 }), {
    next: ['names options', () => [['TS_1'], { group: 'me_1', isOpen: async () => false, ...wait() }]],
  }),
  methods('StagedFolder', async () => (await node.directoryStore(join(folder, 'staged')).stage!('/c')) as object, {
    commit: ['options', () => [{ check: async () => {}, ...wait() }]],
    discard: ['', () => []],
  }),
  methods('PortalStore', () => portal.portalStore(portalOptions()), {
    ...reading,
    ...listing,
    runs: ['options', () => [wait()]],
    tomograms: ['run filter', () => ['16463', { where: {}, authors: ['A. Author'], ...wait() }]],
    annotations: ['run filter', () => ['16463', { where: {}, authors: ['A. Author'], ...wait() }]],
    refresh: ['', () => []],
  }),
  methods('CroissantStore', () => portal.croissantStore(croissantUrl, { fetch: fetchCroissant }), {
    ...reading,
    ...listing,
    index: ['options', () => [wait()]],
    splits: ['options', () => [wait()]],
    refresh: ['', () => []],
  }),
  methods('blobReader()', () => io.blobReader(zipBlob()), {
    read: ['offset length options', () => [0, 4, wait()]],
  }),
  methods('storeReader()', () => io.storeReader(store(), '/a'), {
    read: ['offset length options', () => [0, 4, wait()]],
    measure: ['options', () => [wait()]],
  }),
  methods('fileReader()', () => node.fileReader(join(folder, 'a')), {
    read: ['offset length options', () => [0, 4, wait()]],
  }),
  methods('functionModel()', model, modelMethods),
  methods('withFlips()', () => core.withFlips(model(), ['x']), modelMethods),
  methods('averageOf()', () => core.averageOf(model(), model()), modelMethods),
  methods(
    'onnxModel()',
    () => core.onnxModel(ort(), onnxBytes(), { spec: { ...spec(), tileMultiple: undefined } }),
    modelMethods,
  ),
  methods('Random', () => simulate.createRandom(1), {
    uint32: ['', () => []],
    uniform: ['', () => []],
    normal: ['', () => []],
    rotation: ['', () => []],
    integer: ['limit', () => [5]],
    shuffle: ['items', () => [[1, 2, 3]]],
  }),
  ...formatKinds,
];

/** What functions return, with all their methods; `test/misuse.test.ts` tells if one is missing here. */
export const returnedKinds: readonly Kind[] = kinds.map(({ kind }) => kind);

const functions: readonly Subject[] = [
  fn(
    'CryoetPicksError',
    'code message details',
    (...args: [never, never, never]) => new core.CryoetPicksError(...args),
    () => ['unsupported', 'a message', { option: 'a', path: 'b', available: ['c'], cause: new Error('d') }],
  ),
  fn('isCryoetPicksError', 'error code', core.isCryoetPicksError, () => [new Error('a'), 'unsupported']),
  fn('toPhysical', 'placement voxel', core.toPhysical, () => [placement(), [1, 2, 3]]),
  fn('facesOf', 'grid', core.facesOf, () => [grid()]),
  fn('toVoxel', 'placement point', core.toVoxel, () => [placement(), point()]),
  fn('measureIntensity', 'source options', core.measureIntensity, () => [
    source(),
    { blockBytes: 1e6, onProgress: nothing, onWarning: nothing, ...wait() },
  ]),
  fn('quantile', 'intensity p', core.quantile, () => [intensity(), 0.5]),
  fn('clipToQuantiles', 'intensity options', core.clipToQuantiles, () => [intensity(), { low: 0.1, high: 0.9 }]),
  fn('minMax', 'intensity', core.minMax, () => [intensity()]),
  fn('zScore', 'intensity', core.zScore, () => [intensity()]),
  fn('normalizerFor', 'name intensity', core.normalizerFor, () => ['z-score', intensity()]),
  ...(['z-score', 'quantiles', 'min-max', 'none'] as const).map((name) =>
    fn(
      `normalizerFor(${name})()`,
      'voxels',
      (voxels) => core.normalizerFor(name, intensity())(voxels),
      () => [new Float32Array(4)],
    ),
  ),
  fn('resampled', 'source voxelSize', core.resampled, () => [source(), [20, 20, 20]]),
  fn('contiguousVolume', 'data shape', core.contiguousVolume, () => [volume().data, [4, 6, 8]]),
  fn('sourceFromArray', 'volume options', core.sourceFromArray, () => [
    fullVolume(),
    { voxelSize: [10, 10, 10], origin: point() },
  ]),
  fn('toFloat32', 'volume', core.toFloat32, () => [fullVolume()]),
  fn('httpStore', 'url options', core.httpStore, () => ['https://host.example/folder', http()]),
  fn('handleStore', 'directory options', web.handleStore, () => [new EmptyFolder(), { readOnly: true }]),
  fn('fileListStore', 'files', web.fileListStore, () => [[new File(['abcd'], 'a')]]),
  fn('loadModel of web', 'ort network options', web.loadModel, () => [
    'https://host.example/ort.mjs',
    new Uint8Array(4),
    { spec: spec(), device: 'wasm', threads: 1, script: 'https://host.example/model-worker.js', ...wait() },
  ]),
  fn('lendStore', 'store options', web.lendStore, () => [store(), wait()]),
  fn('borrowedStore', 'lent', web.borrowedStore, () => [
    { location: 'lent', hasSizes: false, hasFolders: true, port: closedPort() },
  ]),
  fn('servedStore', 'url options', web.servedStore, () => [
    'https://host.example/data/overlay',
    { fetch: http().fetch },
  ]),
  fn('memoryStore', 'entries', core.memoryStore, () => [[['/a', new Uint8Array(4)]]]),
  fn('subStore', 'store folder', core.subStore, () => [store(), '/b']),
  fn('openTomogram', 'store options', core.openTomogram, async () => [await imageStore(), opening()]),
  fn('writeTomogram', 'store source options', core.writeTomogram, () => [store(), source(), imageOptions()]),
  fn('planTiles', 'shape spec options', core.planTiles, () => [
    [4, 6, 8],
    { tile: [4, 4, 4], tileMultiple: 2, outputStride: 1, classes: ['a', null] },
    { axis: 0, channels: 2, overlap: [1, 1, 1], window: 'hann' },
  ]),
  fn('functionModel', 'scoreTile options', core.functionModel, () => [(voxels: Float32Array) => voxels, { ...spec() }]),
  fn('formatModelSpec', 'spec', core.formatModelSpec, () => [spec()]),
  fn('parseModelSpec', 'card options', core.parseModelSpec, () => [JSON.stringify(spec()), { source: 'card.json' }]),
  fn('onnxModel', 'ort file options', core.onnxModel, () => [
    ort(),
    onnxBytes(),
    { spec: spec(), device: 'cpu', threads: 1, ...wait() },
  ]),
  fn('scoreSlabs', 'source options', core.scoreSlabs, () => [
    source(),
    {
      plan: plan(),
      model: model(),
      normalize: core.zScore(intensity()),
      average: 'logits',
      batch: 2,
      onProgress: nothing,
      onWarning: nothing,
      ...wait(),
    },
  ]),
  fn('averageOf', 'first second', core.averageOf, () => [model(), model()]),
  fn('withFlips', 'model axes', core.withFlips, () => [model(), ['y', 'x']]),
  fn('connectedComponents', 'slabs options', core.connectedComponents, () => [
    slabs(),
    { threshold: 20, connectivity: 26, minVoxels: 1, ...wait() },
  ]),
  fn('localMaxima', 'slabs options', core.localMaxima, () => [
    slabs(),
    { threshold: { ribosome: 20 }, refine: core.quadraticFit, ...wait() },
  ]),
  fn('computeFeatures', 'source options', core.computeFeatures, () => [
    source(),
    {
      ...{ model: featureModel(), run: 'TS_1', overlap: [0, 0, 0], memory: 'low', batch: 1 },
      ...{ onProgress: nothing, onWarning: nothing, ...wait() },
    },
  ]),
  fn('teach', 'features picks options', core.teach, async () => [
    [await core.computeFeatures(source(), { model: featureModel(), run: 'TS_1' })],
    [{ run: 'TS_1', picks: lesson([1, 2, 3]) }],
    {
      ...{ rejects: [{ run: 'TS_1', picks: lesson([5]) }], background: 150, radius: { moon: 5 }, keepKnown: true },
      ...{ name: 'moons', onWarning: nothing, ...wait() },
    },
  ]),
  fn('joinCandidates', 'found before', core.joinCandidates, () => [candidates(), candidates()]),
  fn('sha256Hex', 'bytes', core.sha256Hex, () => [Uint8Array.of(1, 2, 3)]),
  fn('addHead', 'network taught', core.addHead, async () => {
    const features = await core.computeFeatures(source(), { model: featureModel(), run: 'TS_1' });
    const { scoreSlabs, ...taught } = await core.teach([features], [{ run: 'TS_1', picks: lesson([1, 2, 3]) }], {
      radius: 5,
    });
    return [onnxWithFeatures(), { ...taught, scoreSlabs }];
  }),
  fn('averageParticles', 'source picks options', core.averageParticles, () => [
    source(),
    picks().slice(0, 2),
    { radius: 30, wedge: { tiltRange: [-60, 60], tiltAxis: 'y' }, onProgress: nothing, ...wait() },
  ]),
  fn('makeTemplate', 'density options', core.makeTemplate, () => [
    source(),
    { object: 'ribosome', voxelSize: 20, contrast: 'inverted', resolution: 40, radius: 20, ...wait() },
  ]),
  fn('matchTemplate', 'source template options', core.matchTemplate, () => [
    source(),
    template(),
    {
      ...{ angles: 180, symmetry: 'C2', wedge: { tiltAngles: [-60, 60], tiltAxis: 'y' }, whiten: true, memory: 1e9 },
      ctf: { defocus: 3, voltage: 300, sphericalAberration: 2.7, amplitudeContrast: 0.07, phasesFlipped: true },
      ...{ mask: { radius: 10, softEdge: 0 }, threads: noThreads(), onProgress: nothing, ...wait() },
    },
  ]),
  fn('matchCandidates', 'source density options', core.matchCandidates, () => [
    sourceFromArray(
      { data: new Float32Array(1000).fill(1, 400, 500), shape: [10, 10, 10] },
      { voxelSize: [20, 20, 20] },
    ),
    { shape: 'sphere', radius: 45 },
    {
      ...{ object: 'ribosome', contrast: 'inverted', radius: 45, symmetry: 'C2', angleStep: 180 },
      ...{ wedge: { tiltAngles: [-60, 60], tiltAxis: 'y' }, ctf: { defocus: 3 }, whiten: false, memory: 1e9 },
      ...{ mask: { radius: 45, softEdge: 0 }, threads: noThreads(), candidatesPerObject: 1, threshold: 0.5 },
      ...{ maxFalse: 0.1, minDistance: 40, onProgress: nothing, ...wait() },
    },
  ]),
  fn('quadraticFit', 'scores', core.quadraticFit, () => [new Float64Array(27).fill(0).fill(1, 13, 14)]),
  fn('smoothed', 'slabs options', core.smoothed, () => [slabs(), { sigma: 5, ...wait() }]),
  fn('splitTouching', 'slabs options', core.splitTouching, () => [
    slabs(),
    { threshold: 20, minDistance: 20, connectivity: 26, minVoxels: 1, ...wait() },
  ]),
  fn('dbscan', 'picks options', core.dbscan, () => [picks(), { radius: { ribosome: 40, virus: 40 }, minPicks: 2 }]),
  fn('meanShift', 'picks options', core.meanShift, () => [picks(), { bandwidth: 40, tolerance: 1e-3, maxMoves: 100 }]),
  fn('mergeNearby', 'picks options', core.mergeNearby, () => [picks(), { radius: 40 }]),
  fn('toPick', 'peak', core.toPick, () => [{ grid: grid(), voxel: [1, 2, 3], object: 'ribosome', score: 0.5 }]),
  fn('paintSegmentation', 'picks options', core.paintSegmentation, () => [
    picks(),
    { grid: grid(), radius: 20, label: { ribosome: 1, virus: 2 } },
  ]),
  fn('picksFromSegmentation', 'labels options', core.picksFromSegmentation, () => [
    { ...volume(), data: new Uint8Array(192).fill(1, 0, 20) },
    { grid: grid(), objects: { 1: 'ribosome' }, connectivity: 26, minVoxels: 1 },
  ]),
  fn('collectCandidates', 'peaks options', core.collectCandidates, () => [
    [{ grid: grid(), voxel: [1, 2, 3], object: 'ribosome', score: 0.9 }],
    {
      grid: grid(),
      objects: ['ribosome', 'virus'],
      thresholds: { ribosome: 0.5, virus: 0.5 },
      minDistances: { ribosome: 10, virus: 10 },
      floors: { ribosome: 0.1, virus: 0.1 },
      candidatesPerObject: 100,
    },
  ]),
  fn('picksFromCandidates', 'candidates options', core.picksFromCandidates, () => [
    candidates(),
    {
      objects: [{ name: 'ribosome' }],
      thresholds: { ribosome: 0.5 },
      minDistances: 10,
      mask: () => true,
      acrossObjects: 10,
      max: 5,
    },
  ]),
  fn('estimateFalsePicks', 'candidates options', core.estimateFalsePicks, () => [
    candidates(),
    { objects: [{ name: 'ribosome' }], thresholds: { ribosome: 0.5 }, minDistances: 10, mask: () => true },
  ]),
  fn('chooseThresholds', 'candidates options', core.chooseThresholds, () => [
    candidates(),
    { objects: [{ name: 'ribosome' }], maxFalse: { ribosome: 0.2 }, minDistances: 10, mask: () => true },
  ]),
  fn('labelMask', 'labels options', core.labelMask, () => [
    labels(),
    { labels: [1], exclude: false, margin: 10, ...wait() },
  ]),
  fn('boxMask', 'ranges options', core.boxMask, () => [{ x: [0, 10], y: undefined, z: [5, 50] }, { exclude: true }]),
  fn('faceMask', 'grid margin', core.faceMask, () => [grid(), 10]),
  fn('suppressAcrossObjects', 'picks options', core.suppressAcrossObjects, () => [picks(), { minDistance: 40 }]),
  fn('suppressNearby', 'picks options', core.suppressNearby, () => [
    picks(),
    { minDistance: { ribosome: 40, virus: 40 } },
  ]),
  fn('formatPicks', 'runs options', core.formatPicks, () => [runs(), { format: formats.csvFormat() }]),
  fn('parsePicks', 'content options', core.parsePicks, () => [
    contents.csv!(),
    { format: formats.csvFormat(), source: 'picks.csv' },
  ]),
  fn('decodePicks', 'content options', formats.decodePicks, () => [
    contents.csv!(),
    { format: formats.csvFormat(), source: 'picks.csv' },
  ]),
  fn('encodePicks', 'runs options', formats.encodePicks, () => [runs(), { format: formats.csvFormat() }]),
  fn('formatSubmission', 'runs options', core.formatSubmission, () => [runs(), { score: true }]),
  fn('parseSubmission', 'text options', core.parseSubmission, () => [contents.submission!(), { source: 'a.csv' }]),
  fn('parseSubmissionRows', 'text options', core.parseSubmissionRows, () => [
    contents.submission!(),
    { source: 'a.csv' },
  ]),
  fn('matchPicks', 'truth candidates options', core.matchPicks, () => [
    [point()],
    [{ ...point(), score: 1 }],
    { radius: 50, matching: 'greedy' },
  ]),
  fn('scoringRules', 'objects options', core.scoringRules, () => [
    [{ name: 'ribosome', radius: 150 }],
    { weights: { ribosome: 1 }, beta: 4, matchFraction: 0.5 },
  ]),
  fn('projectRules', 'objects options', core.projectRules, () => [
    [{ name: 'ribosome', radius: 150 }],
    { truth: ['ribosome'], radius: 80 },
  ]),
  fn('scorePicks', 'runs rules', core.scorePicks, () => [scoredRuns(), rules()]),
  fn('runningScore', 'rules', core.runningScore, () => [rules()]),
  fn('scoreTables', 'tables rules', core.scoreTables, () => [
    { truth: [{ run: 'TS_1', pick: picks()[0] }], submission: [{ run: 'TS_1', pick: picks()[1] }] },
    rules(),
  ]),
  fn('sweepThresholds', 'runs rules', core.sweepThresholds, () => [scoredRuns(), rules()]),
  fn('checkTomogram', 'source options', core.checkTomogram, () => [
    source(),
    { picks: picks(), folderSpacing: 10, spec: spec(), intensity: intensity() },
  ]),
  fn('chooseObjects', 'spec objects options', core.chooseObjects, () => [
    spec(),
    [{ name: 'ribosome', isParticle: true, radius: 150 }],
    { thresholds: { ribosome: 0.5 }, minDistances: 10 },
  ]),
  fn('detectCandidates', 'source options', core.detectCandidates, () => [
    source(),
    { model: model(), objects: [{ name: 'ribosome' }], floors: { ribosome: 0.1 }, candidatesPerObject: 100 },
  ]),
  fn('detectParticles', 'source options', core.detectParticles, () => [source(), detection()]),
  fn('requireVoxelSize', 'grid spec options', core.requireVoxelSize, () => [grid(), spec(), { remedy: 'resample it' }]),
  fn('pickProject', 'project options', core.pickProject, async () => [
    await project(),
    { thresholds: { ribosome: 0.5 }, minDistances: 10, runs: ['TS_1'], userId: 'me', sessionId: '1', overwrite: true },
  ]),
  fn('writeDetection', 'run candidates options', core.writeDetection, async () => [
    await (await project()).run('TS_1'),
    { ...candidates(), objects: ['ribosome'], objectIndices: Uint16Array.of(0, 0, 0) },
    {
      model: { spec: spec(), sha256: 'f00d' },
      tomogram: 'denoised',
      voxelSpacing: 10,
      settings: {},
      userId: 'me',
      sessionId: '9',
      overwrite: true,
      max: 5,
      ...wait(),
    },
  ]),
  fn('gatherProject', 'project options', core.gatherProject, async () => [
    await project(),
    { runs: ['TS_1'], userId: 'me', sessionId: '1', from: 'candidates', thresholds: {}, ...wait() },
  ]),
  fn('shardOf', 'names shard', core.shardOf, () => [['TS_2', 'TS_1'], { index: 1, count: 2 }]),
  fn('detectRun', 'project run options', core.detectRun, async () => [
    await project(),
    'TS_1',
    {
      ...detection(),
      tomogram: 'denoised',
      voxelSpacing: 10,
      userId: 'me',
      sessionId: '7',
      resume: true,
      overwrite: false,
      keepCandidates: true,
      prepare: (tomogram: unknown) => tomogram,
    },
  ]),
  fn('matchProject', 'project density options', core.matchProject, async () => [
    await project(),
    { shape: 'sphere', radius: 45 },
    {
      // The template is larger than the tomograms of the project, so that each run fails at once.
      ...{ object: 'ribosome', contrast: 'inverted', radius: 300, symmetry: 'C2', angleStep: 180 },
      ...{ whiten: false, memory: 1e9 },
      ...{ wedge: { tiltAngles: [-60, 60], tiltAxis: 'y' }, ctf: { defocus: 3 }, threads: noThreads(), threshold: 0.5 },
      ...{ candidatesPerObject: 1, maxFalse: 0.1, minDistance: 40, retries: 0, templateName: 'ball' },
      ...{ tomogram: 'denoised', voxelSpacing: 10, runs: ['TS_1'], shard: { index: 1, count: 1 }, onStart: nothing },
      ...{
        userId: 'me',
        sessionId: '7',
        resume: false,
        overwrite: true,
        onProgress: nothing,
        onWarning: nothing,
        ...wait(),
      },
    },
  ]),
  fn('detectProject', 'project options', core.detectProject, async () => [
    await project(),
    {
      ...detection(),
      tomogram: 'denoised',
      voxelSpacing: 10,
      runs: ['TS_1'],
      retries: 1,
      claim: { next: async () => undefined },
      onStart: nothing,
      userId: 'me',
      sessionId: '7',
      resume: true,
      prepare: (tomogram: unknown) => tomogram,
    },
  ]),

  fn('readFailures', 'project options', core.readFailures, async () => [
    await project(),
    { userId: 'me', sessionId: '7', ...wait() },
  ]),

  fn('parseConfig', 'text options', copick.parseConfig, () => [configText(), { source: 'copick.json' }]),
  fn('formatConfig', 'config', copick.formatConfig, () => [{ ...config() }]),
  fn('newConfig', 'options', copick.newConfig, () => [
    {
      overlayRoot: 'overlay',
      staticRoot: 'static',
      name: 'a',
      description: 'b',
      objects: [{ name: 'ribosome', isParticle: true, label: 1, radius: 150, color: [1, 2, 3, 255] }],
    },
  ]),
  fn('withObject', 'config object options', copick.withObject, () => [config(), pickable(), { replace: true }]),
  fn('withoutObject', 'config name', copick.withoutObject, () => [config(), 'ribosome']),
  fn('contentsOf', 'store options', copick.contentsOf, async () => [await imageStore(), {}]),
  fn('volumeFormatOf', 'name', copick.volumeFormatOf, () => ['TS_1.mrc']),
  fn('cziiObjects', '', copick.cziiObjects, () => []),
  fn('filamentOf', 'object', copick.filamentOf, () => [{ ...pickable(), metadata: { filament: { polar: true } } }]),
  fn('withFilament', 'object spec', copick.withFilament, () => [
    pickable(),
    { polar: true, helicalRise: 27, helicalTwist: 166 },
  ]),
  fn('projectFromStores', 'options', copick.projectFromStores, () => [
    { config: config(), overlay: store(), static: store(), source: 'copick.json', onProblem: nothing },
  ]),
  fn(
    'Project',
    'options',
    (options: never) => new copick.Project(options),
    () => [{ config: config(), overlay: store(), static: store(), source: 'copick.json', onProblem: nothing }],
  ),
  fn(
    'Run',
    'name tree',
    (...args: [never, never]) => new copick.Run(...args),
    () => ['TS_1', { objects: [], overlay: store(), hasOverlay: true }],
  ),
  fn('deleteAll', 'entries options', copick.deleteAll, async () => [await (await run()).pickSets(), wait()]),
  fn('formatPicksFile', 'file', copick.formatPicksFile, () => [
    {
      ...who(),
      picks: picks().slice(0, 1),
      runName: 'TS_1',
      voxelSpacing: 10,
      trustOrientation: true,
      unknown: {},
    },
  ]),
  fn('parsePicksFile', 'text options', copick.parsePicksFile, () => [
    picksText(),
    { source: 'a.json', identity: who(), fallbackObject: 'ribosome' },
  ]),
  fn('curveOf', 'filament', copick.curveOf, () => [{ ...filament(), curve: curve() }]),
  fn('evaluateCurve', 'curve', copick.evaluateCurve, () => [curve()]),
  fn('hasCurrentCurve', 'filament', copick.hasCurrentCurve, () => [{ ...filament(), curve: curve() }]),
  fn('picksAlongFilaments', 'filaments options', copick.picksAlongFilaments, () => [
    [filament()],
    { object: 'actin', spacing: 20, anchor: 'start' },
  ]),
  fn('formatFilamentsFile', 'file', copick.formatFilamentsFile, () => [
    { ...filamentsFile(), runName: 'TS_1', voxelSpacing: 10, formatVersion: 1, unknown: {} },
  ]),
  fn('parseFilamentsFile', 'text options', copick.parseFilamentsFile, () => [
    copick.formatFilamentsFile(filamentsFile()),
    { source: 'a.json', identity: { object: 'actin', ...mine } },
  ]),
  fn('expandOutputUri', 'output options', copick.expandOutputUri, () => [
    'ribosome',
    { command: 'convert', individual: false, input: 'ribosome:me/1', inputKind: 'picks', kind: 'mesh' },
  ]),
  fn('formatUri', 'kind parts', copick.formatUri, () => ['picks', who()]),
  fn('parseUri', 'kind text', copick.parseUri, () => ['picks', 'ribosome:me/1']),

  fn('figureFormat', 'path', figure.figureFormat, () => ['a.png']),
  fn('figureObjects', 'objects', figure.figureObjects, () => [[pickable()]]),
  fn('sliceImage', 'source options', figure.sliceImage, () => [
    source(),
    { axis: 0, index: 0, mean: 1, contrast: { black: 0, white: 10 }, ...wait() },
  ]),
  fn('renderFigure', 'source options', figure.renderFigure, () => [
    source(),
    {
      picks: picks(),
      truth: picks(),
      objects: [
        { name: 'ribosome', color: [1, 2, 3], radius: 20 },
        { name: 'virus', color: [1, 2, 3], radius: 20 },
      ],
      title: 'a',
      slices: 1,
      format: 'svg',
      ...wait(),
    },
  ]),

  fn('detectPicksFormat', 'path text', formats.detectPicksFormat, () => ['a.csv', contents.csv!()]),
  fn('picksFormat', 'name options', formats.picksFormat, () => ['relion5', formatOptions()]),
  fn('picksFormatOfPath', 'path', formats.picksFormatOfPath, () => ['a.csv']),
  fn('requireOneVoxelSize', 'sizes options', formats.requireOneVoxelSize, () => [
    { TS_1: [10, 10, 10] },
    { remedy: 'write a file for each run' },
  ]),
  fn('encodeRuns', 'runs options', formats.encodeRuns, () => [
    runs(),
    { formatOf: () => formats.csvFormat(), ...wait() },
  ]),
  fn('describeLosses', 'runs options', formats.describeLosses, () => [
    runs(),
    { format: { losses: [{ part: 'score', what: 'scores are not stored' }], keepsUnknown: false } },
  ]),
  fn('cmmFormat', 'options', formats.cmmFormat, () => [{ object: 'ribosome', radius: 10, run: 'TS_1' }]),
  fn('copickFormat', 'options', formats.copickFormat, () => [{ object: 'ribosome', run: 'TS_1', ...mine }]),
  fn('csvFormat', 'options', formats.csvFormat, () => [{ object: 'ribosome', run: 'TS_1' }]),
  fn('submissionFormat', 'options', formats.submissionFormat, () => [{ score: true }]),
  fn('dynamoFormat', 'options', formats.dynamoFormat, () => [
    { firstVoxel: 1, object: 'ribosome', objects: { 1: 'ribosome' }, run: 'TS_1', runs: { 1: 'TS_1' }, voxelSize: 10 },
  ]),
  fn('eman2Format', 'options', formats.eman2Format, () => [
    { boxSize: 32, object: 'ribosome', run: 'TS_1', shape: [64, 400, 400], voxelSize: 10 },
  ]),
  fn('imodFormat', 'options', formats.imodFormat, () => [
    { object: 'ribosome', run: 'TS_1', shape: [64, 400, 400], voxelCentre: 'half', voxelSize: 10 },
  ]),
  fn('napariFormat', 'options', formats.napariFormat, () => [{ object: 'ribosome', run: 'TS_1', voxelSize: 10 }]),
  fn('ndjsonFormat', 'options', formats.ndjsonFormat, () => [{ object: 'ribosome', run: 'TS_1', voxelSize: 10 }]),
  fn('pointsFormat', 'options', formats.pointsFormat, () => [
    { columns: ['x', 'y', 'z'], delimiter: ',', object: 'ribosome', run: 'TS_1', voxelSize: 10 },
  ]),
  fn('relion3Format', 'options', formats.relion3Format, () => [
    { object: 'ribosome', objects: { 1: 'ribosome' }, run: 'TS_1', voxelSize: 10 },
  ]),
  fn('relion4Format', 'options', formats.relion4Format, () => [
    { object: 'ribosome', objects: { 1: 'ribosome' }, run: 'TS_1', voxelSize: 10 },
  ]),
  fn('relion5Format', 'options', formats.relion5Format, () => [
    {
      centre: 'half',
      object: 'ribosome',
      objects: { 1: 'ribosome' },
      run: 'TS_1',
      shape: [64, 400, 400],
      shapes: { TS_1: [64, 400, 400] },
      voxelSize: 10,
    },
  ]),
  fn('stopgapFormat', 'options', formats.stopgapFormat, () => [
    { firstVoxel: 1, object: 'ribosome', objects: { 1: 'ribosome' }, run: 'TS_1', runs: { 1: 'TS_1' }, voxelSize: 10 },
  ]),
  fn('tomFormat', 'options', formats.tomFormat, () => [
    { firstVoxel: 1, object: 'ribosome', objects: { 1: 'ribosome' }, run: 'TS_1', runs: { 1: 'TS_1' }, voxelSize: 10 },
  ]),

  fn('coalesced', 'store options', io.coalesced, () => [store(), { maxGapBytes: 10, maxBytes: 100, maxRequests: 2 }]),
  fn('blobReader', 'blob', io.blobReader, () => [zipBlob()]),
  fn('storeReader', 'store key', io.storeReader, () => [store(), '/a']),
  fn('s3Store', 'url options', io.s3Store, () => [
    's3://bucket/folder',
    { ...http(), addressing: 'path', endpoint: 'https://host.example', region: 'us-west-2' },
  ]),
  fn('readOnlyStore', 'store options', io.readOnlyStore, () => [store(), { reason: 'it is read-only' }]),
  fn('zipStore', 'source options', io.zipStore, () => [zipBlob(), { folder: 'a' }]),
  fn('withConsolidated', 'store options', io.withConsolidated, () => [store(), { verify: true }]),
  fn('openChannels', 'store options', io.openChannels, async () => [await imageStore(), opening()]),
  fn('writeChannels', 'store sources options', io.writeChannels, () => [
    store(),
    [source()],
    { ...imageOptions(), axis: 'c', names: ['a'] },
  ]),
  fn('encodeMrc', 'source options', io.encodeMrc, () => [
    source(),
    { intensity: intensity(), labels: ['a'], mode: 2, ...wait() },
  ]),
  fn('parseMrcHeader', 'bytes options', io.parseMrcHeader, async () => [
    await mrcBytes(),
    { bytes: 'signed', source: 'a.mrc' },
  ]),
  fn('openMrc', 'input options', io.openMrc, async () => [
    await mrcBytes(),
    { bytes: 'signed', origin: point(), voxelSize: 10, ...wait() },
  ]),
  fn('openTiffStack', 'bytes options', io.openTiffStack, () => [
    tiffBytes(),
    { origin: point(), source: 'a.tif', voxelSize: 10, ...wait() },
  ]),

  fn('differenceOf', 'a b', ndarray.differenceOf, () => [fullVolume(), fullVolume()]),
  fn('fromNdarray', 'array', ndarray.fromNdarray, () => [fullVolume()]),
  fn('invertContrast', 'volume', ndarray.invertContrast, () => [fullVolume()]),
  fn('maskedBy', 'volume mask', ndarray.maskedBy, () => [fullVolume(), fullVolume()]),
  fn('meanOf', 'volumes', ndarray.meanOf, () => [[fullVolume(), fullVolume()]]),
  fn('toNdarray', 'volume', ndarray.toNdarray, () => [fullVolume()]),

  fn('directoryStore', 'path options', node.directoryStore, () => [
    join(folder, 'store'),
    { durable: false, readOnly: true },
  ]),
  fn('matchThreads', 'options', node.matchThreads, () => [{ threads: 1 }]),
  fn('overlayClaims', 'project options', node.overlayClaims, async () => [await projectOnDisk(), { lease: 5 }]),
  fn('openProject', 'path options', node.openProject, () => [
    join(folder, 'copick.json'),
    { fetch: fetchOne, onProblem: nothing, ...wait() },
  ]),
  fn('fileReader', 'path', node.fileReader, () => [join(folder, 'a')]),
  fn('openMrcFile', 'path options', node.openMrcFile, () => [
    fixture('mrc/mode2.mrc'),
    { bytes: 'signed', origin: point(), voxelSize: 10, ...wait() },
  ]),
  fn('openStore', 'path', node.openStore, () => [folder]),
  fn('openTiffStackFile', 'path options', node.openTiffStackFile, () => [
    fixture('tiff/float32.tif'),
    { origin: point(), voxelSize: 10, ...wait() },
  ]),
  fn('writeMrcFile', 'path source options', node.writeMrcFile, () => [
    join(folder, 'b.mrc'),
    source(),
    { intensity: intensity(), labels: ['a'], mode: 2, ...wait() },
  ]),
  fn('loadModel', 'ort path options', node.loadModel, () => [
    onnxruntime,
    fixture('onnx/identity.onnx'),
    {
      spec: { ...spec(), classes: ['a'], thresholds: { a: 0.5 }, minDistances: { a: 10 } },
      device: 'cpu',
      threads: 1,
      ...wait(),
    },
  ]),

  fn('annotationFits', 'annotation tomogram', portal.annotationFits, () => [
    { alignmentId: 1, voxelSpacingId: 2 },
    { alignmentId: 1, voxelSpacingId: 2 },
  ]),
  fn('openPortal', 'options', portal.openPortal, () => [{ ...portalOptions(), overlay: store(), onProblem: nothing }]),
  fn('portalObjects', 'options', portal.portalObjects, () => {
    const { objects: _, ...options } = portalOptions();
    return [{ ...options, ...wait() }];
  }),
  fn('portalOf', 'project', portal.portalOf, async () => [await project()]),
  fn('portalStore', 'options', portal.portalStore, () => [{ ...portalOptions(), instancePoints: true }]),
  fn('croissantStore', 'url options', portal.croissantStore, () => [
    croissantUrl,
    {
      fetch: fetchCroissant,
      headers: { accept: '*/*' },
      baseUrl: 'https://croissant.example',
      s3: { endpoint: 'https://host.example', region: 'us-west-2', addressing: 'path' },
    },
  ]),
  fn('openCroissant', 'url options', portal.openCroissant, () => [
    croissantUrl,
    { fetch: fetchCroissant, overlay: store(), onProblem: nothing, ...wait() },
  ]),

  fn('createRandom', 'seed stream', simulate.createRandom, () => [1, 2]),
  fn('randomImaging', 'seed', simulate.randomImaging, () => [1]),
  fn('speciesNamed', 'name', simulate.speciesNamed, () => ['ribosome']),
  fn('drawMolecule', 'volume options', simulate.drawMolecule, () => [
    fullVolume(),
    {
      grid: grid(),
      molecule: {
        species: simulate.speciesNamed('ribosome'),
        position: point(),
        rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1],
      },
    },
  ]),
  fn('simulateScene', 'options', simulate.simulateScene, () => [
    { ...scene(), positions: [{ object: 'ribosome', position: { x: 50, y: 50, z: 40 } }] },
  ]),
  fn('simulateTomogram', 'options', simulate.simulateTomogram, () => [
    {
      ...scene(),
      ...imaging(),
      positions: [{ object: 'ribosome', position: { x: 50, y: 50, z: 40 } }],
      onProgress: nothing,
      ...wait(),
    },
  ]),
  fn('simulateProject', 'store options', simulate.simulateProject, () => [
    core.memoryStore(),
    {
      ...scene(),
      ...imaging(),
      runs: 1,
      positions: [{ run: 'TS_1', picks: [{ object: 'ribosome', position: { x: 50, y: 50, z: 40 } }] }],
      overwrite: true,
      onProgress: nothing,
      ...wait(),
    },
  ]),
];

/** Every public function, and every method of what they return. */
export const subjects: readonly Subject[] = [...functions, ...kinds.flatMap((one) => one.subjects)];
