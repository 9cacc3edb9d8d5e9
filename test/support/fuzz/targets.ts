import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  formatConfig,
  formatPicksFile,
  parseConfig,
  parseFilamentsFile,
  parsePicksFile,
} from '../../../src/entry/copick.ts';
import {
  type AnyPicksFormat,
  detectPicksFormat,
  type PicksFormatName,
  picksFormat,
} from '../../../src/entry/formats.ts';
import { parseModelSpec, type VolumeSource } from '../../../src/entry/index.ts';
import { openMrc, openTiffStack } from '../../../src/entry/io.ts';
import { bytesReader } from '../../../src/storage/random-access.ts';
import { samplePicks } from '../format-samples.ts';
import { filesIn, fixtures } from './corpus.ts';
import { imageTargets } from './image-targets.ts';
import type { Kind } from './mutate.ts';
import { remoteTargets } from './remote-targets.ts';

/** A parser, with valid inputs to mutate. */
export interface Target {
  readonly name: string;
  readonly kind: Kind;
  corpus(): Promise<readonly Uint8Array[]>;
  /** Parses a mutant of one item of the corpus. */
  run(bytes: Uint8Array, item: number): Promise<unknown>;
}

const encoder = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Reads a corner of a volume, and its last voxel. */
export async function readSome(source: VolumeSource): Promise<void> {
  const { shape } = source.grid;
  const end = shape.map((extent) => Math.min(extent, 3)) as [number, number, number];
  await source.read({ start: [0, 0, 0], end });
  const last = shape.map((extent) => Math.max(0, extent - 1)) as [number, number, number];
  await source.read({ start: last, end: shape });
}

const names = { 1: 'TS_001', 2: 'TS_002' };
const options = { voxelSize: 10, shape: [64, 401, 500], object: 'ribosome' } as const;
/** These tell runs and objects by number, or hold one run only. */
const numbered: readonly PicksFormatName[] = ['dynamo', 'stopgap', 'tom'];
const single: readonly PicksFormatName[] = ['imod', 'cmm', 'eman2', 'copick', 'ndjson', 'napari', 'points'];

function formatOf(name: PicksFormatName): AnyPicksFormat {
  if (numbered.includes(name)) return picksFormat(name, { ...options, runs: names });
  return picksFormat(name, single.includes(name) ? { ...options, run: 'TS_001' } : options);
}

interface PicksInput {
  readonly format: PicksFormatName;
  readonly bytes: Uint8Array;
}

/** What we write ourselves, and what the fixtures hold of these formats. */
function picksInputs(formats: readonly PicksFormatName[], files: RegExp | undefined): PicksInput[] {
  const one = samplePicks.slice(0, 1).map(({ run, picks }) => ({ run, picks: picks.slice(0, 1) }));
  const own = formats.map((format) => {
    const content = formatOf(format).format(single.includes(format) ? one : samplePicks);
    return { format, bytes: typeof content === 'string' ? encoder.encode(content) : content };
  });
  const found = (files ? filesIn('formats', files) : []).map((bytes) => {
    return { format: formats.length === 1 ? formats[0]! : detectPicksFormat('x.star', text(bytes)), bytes };
  });
  return [...own, ...found];
}

/** Formats of picks; what is read from text is written again. */
function picksTarget(name: string, formats: readonly PicksFormatName[], kind: Kind, files?: RegExp): Target {
  const inputs = picksInputs(formats, files);
  return {
    name,
    kind,
    corpus: async () => inputs.map(({ bytes }) => bytes),
    async run(bytes, item) {
      const format = formatOf(inputs[item]!.format);
      if (format.content === 'text') format.format(format.parse(text(bytes), 'fuzz'));
      else format.parse(bytes, 'fuzz');
    },
  };
}

const filaments = {
  pickable_object_name: 'actin',
  user_id: 'me',
  session_id: '1',
  run_name: 'TS_1',
  voxel_spacing: null,
  unit: 'angstrom',
  trust_orientation: true,
  version: 1,
  filaments: [
    {
      instance_id: 1,
      points: [
        [0, 0, 0],
        [10, 0, 0],
        [20, 5, 0],
      ],
      polarity_known: true,
      score: 0.5,
      radius: 30,
      metadata: { a: 1 },
      curve: {
        kind: 'catmull-rom',
        control_points: [
          [0, 0, 0],
          [10, 0, 0],
          [20, 5, 0],
        ],
        step: 5,
        alpha: 0.5,
      },
    },
    {
      instance_id: 2,
      points: [
        [0, 0, 0],
        [1, 1, 1],
      ],
      curve: {
        kind: 'bspline',
        control_points: [
          [0, 0, 0],
          [1, 0, 0],
          [2, 0, 0],
          [3, 1, 1],
        ],
        step: 0.5,
        degree: 3,
        knots: [0, 0, 0, 0, 1, 1, 1, 1],
      },
    },
  ],
};

/** Every parser of the library that reads what others wrote. */
export const targets: readonly Target[] = [
  {
    name: 'picks-json',
    kind: 'json',
    corpus: async () => filesIn('copick', /Picks\/(?!broken).*\.json$/),
    async run(bytes) {
      formatPicksFile(parsePicksFile(text(bytes), { source: 'fuzz', fallbackObject: 'x' }));
    },
  },
  {
    name: 'config',
    kind: 'json',
    corpus: async () => filesIn('copick', /^copick\.json$/),
    async run(bytes) {
      parseConfig(formatConfig(parseConfig(text(bytes), { source: 'fuzz' })), { source: 'again' });
    },
  },
  {
    name: 'filaments',
    kind: 'json',
    corpus: async () => [encoder.encode(JSON.stringify(filaments))],
    run: async (bytes) => parseFilamentsFile(text(bytes), { source: 'fuzz' }),
  },
  {
    name: 'model-card',
    kind: 'json',
    corpus: async () => [new Uint8Array(readFileSync(join(fixtures, '../../models/default.json')))],
    run: async (bytes) => parseModelSpec(text(bytes)),
  },
  picksTarget('star', ['relion3', 'relion4', 'relion5', 'stopgap'], 'text', /\.star$/),
  picksTarget('csv', ['csv', 'submission'], 'text'),
  picksTarget('dynamo', ['dynamo'], 'text', /\.tbl$/),
  picksTarget('napari', ['napari'], 'text'),
  picksTarget('points', ['points'], 'text'),
  picksTarget('cmm', ['cmm'], 'text'),
  picksTarget('ndjson', ['ndjson'], 'text'),
  picksTarget('eman2', ['eman2'], 'json'),
  picksTarget('em', ['tom'], 'bytes', /\.em$/),
  picksTarget('imod', ['imod'], 'bytes', /\.mod$/),
  {
    name: 'mrc',
    kind: 'bytes',
    corpus: async () => filesIn('mrc', /\.mrc(\.gz)?$/),
    run: async (bytes) => readSome(await openMrc(bytesReader(bytes))),
  },
  {
    name: 'tiff',
    kind: 'bytes',
    corpus: async () => filesIn('tiff', /\.tif$/),
    async run(bytes) {
      const stack = await openTiffStack(bytes, { voxelSize: [10, 10, 10] });
      await readSome(stack);
    },
  },
  ...imageTargets,
  ...remoteTargets,
];
