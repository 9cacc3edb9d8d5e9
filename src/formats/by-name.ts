import {
  anything,
  optional,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  text as textRule,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { headerOf } from '../picks/csv.ts';
import { submissionRules } from '../picks/submission.ts';
import { cmmFormat } from './cmm.ts';
import { copickFormat } from './copick.ts';
import { csvFormat, type SubmissionFormatOptions, submissionFormat } from './csv.ts';
import { dynamoFormat } from './dynamo.ts';
import { eman2Format } from './eman2.ts';
import {
  type ObjectNames,
  type RunNames,
  type RunShapesOption,
  type RunVoxelSizesOption,
  type ShapeOption,
  tableRules,
  type VoxelSizeOption,
} from './file-context.ts';
import type { PicksFormat } from './format.ts';
import { imodFormat } from './imod.ts';
import { napariFormat } from './napari.ts';
import { ndjsonFormat } from './ndjson.ts';
import { type PointsFormatOptions, pointsFormat, unitIn } from './points.ts';
import { type RelionFormatOptions, relion3Format, relion4Format, relion5Format } from './relion.ts';
import { stopgapFormat } from './stopgap.ts';
import { tomFormat } from './tom.ts';

/** The options of all formats; each format uses those that it needs. */
export interface FormatOptions
  extends VoxelSizeOption,
    RunVoxelSizesOption,
    ShapeOption,
    RunShapesOption,
    ObjectNames,
    RunNames {
  /** What the columns of a plain table are, for the format `points`. */
  readonly columns?: PointsFormatOptions['columns'];
  /** What coordinates in STAR of RELION are, if their range leaves doubt. */
  readonly coordinates?: RelionFormatOptions['coordinates'];
  /** The `id` of the first row, for a submission that is written in parts. */
  readonly firstId?: SubmissionFormatOptions['firstId'];
}

/** A format of text or of bytes; `content` says which. */
export type AnyPicksFormat = PicksFormat<string> | PicksFormat<Uint8Array>;

const factories: Readonly<Record<PicksFormatName, (options: FormatOptions) => AnyPicksFormat>> = {
  csv: csvFormat,
  submission: ({ firstId }) => submissionFormat({ score: true, firstId }),
  copick: copickFormat,
  relion3: relion3Format,
  relion4: relion4Format,
  relion5: relion5Format,
  dynamo: dynamoFormat,
  stopgap: stopgapFormat,
  tom: tomFormat,
  imod: imodFormat,
  eman2: eman2Format,
  ndjson: ndjsonFormat,
  napari: napariFormat,
  cmm: cmmFormat,
  points: pointsFormat,
};

/**
 * Makes the format of a name. A submission gets a column `score`.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an unknown name.
 *
 * @example
 * ```ts
 * const format = picksFormat('relion5', { shape: [184, 630, 630], voxelSize: 10, object: 'ribosome' });
 * ```
 */
export function picksFormat(name: string, options: FormatOptions = {}): AnyPicksFormat {
  requireArgument('picksFormat', 'name', name, textRule);
  if (Object.hasOwn(factories, name)) {
    return factories[name as PicksFormatName](requireOptions('picksFormat', options, formatRules));
  }
  throw new CryoetPicksError('invalid-option', `unknown format "${name}"; available: ${picksFormatNames.join(', ')}`, {
    option: 'format',
    available: picksFormatNames,
  });
}

const formatRules: RulesFor<FormatOptions> = {
  ...tableRules,
  shape: anything,
  shapes: optional(record),
  columns: anything,
  coordinates: anything,
  firstId: submissionRules.firstId,
};

const byExtension: Readonly<Record<string, readonly PicksFormatName[]>> = {
  csv: ['csv', 'submission', 'napari', 'points'],
  txt: ['points'],
  tsv: ['points'],
  coords: ['points'],
  json: ['copick', 'eman2'],
  star: ['relion3', 'relion4', 'relion5', 'stopgap'],
  tbl: ['dynamo'],
  em: ['tom'],
  mod: ['imod'],
  ndjson: ['ndjson'],
  cmm: ['cmm'],
};

/**
 * The name of the format for a file to write, by its extension. For extensions that several formats share it is the first: `csv`
 * for CSV, `copick` for JSON.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an unknown extension, and for `.star`, which several formats share
 *   equally.
 */
export function picksFormatOfPath(path: string): PicksFormatName {
  requireArgument('picksFormatOfPath', 'path', path, textRule);
  const names = candidates(path);
  const [first] = names;
  if (first !== undefined && !/\.star$/i.test(path)) return first;
  throw new CryoetPicksError('invalid-option', `${path} may be any of ${names.join(', ')}; name the format`, {
    option: 'format',
    available: names,
  });
}

/**
 * The name of the format of an existing file, by its extension and, for extensions that several formats share, its text.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an unknown extension.
 */
export function detectPicksFormat(path: string, text: string): PicksFormatName {
  requireArgument('detectPicksFormat', 'path', path, textRule);
  requireArgument('detectPicksFormat', 'text', text, textRule);
  const names = candidates(path);
  if (names.length === 1) return names[0]!;
  const has = (pattern: RegExp) => pattern.test(text);
  switch (names[0]) {
    case 'relion3':
      return has(/^data_stopgap_motivelist/m)
        ? 'stopgap'
        : has(/^_rlnCenteredCoordinateXAngst/m)
          ? 'relion5'
          : 'relion4';
    case 'copick':
      return has(/"boxes_3d"/) ? 'eman2' : 'copick';
    default: {
      const columns = headerOf(text);
      if (columns.includes('particle_type')) return 'submission';
      if (columns.includes('axis-0')) return 'napari';
      // Beside coordinates in Å, plain x, y, z are in something else.
      const isCsv =
        ['x', 'y', 'z'].every((axis) => columns.includes(axis)) &&
        columns.every((column) => unitIn(column) === undefined);
      return isCsv ? 'csv' : 'points';
    }
  }
}

function candidates(path: string): readonly PicksFormatName[] {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const names = Object.hasOwn(byExtension, extension) ? byExtension[extension]! : [];
  if (names.length > 0) return names;
  throw new CryoetPicksError(
    'invalid-option',
    `cannot guess the format of ${path} from its extension; name one of ${picksFormatNames.join(', ')}, or use the extension .${Object.keys(byExtension).join(', .')}`,
    { option: 'format', available: picksFormatNames },
  );
}

/** The names of all formats. */
export const picksFormatNames = [
  'csv',
  'submission',
  'copick',
  'relion3',
  'relion4',
  'relion5',
  'dynamo',
  'stopgap',
  'tom',
  'imod',
  'eman2',
  'ndjson',
  'napari',
  'cmm',
  'points',
] as const;

/** The name of a format. */
export type PicksFormatName = (typeof picksFormatNames)[number];

/** What a format needs and can hold. */
export interface FormatRequirements {
  /** The extension of its files. */
  readonly extension: string;
  /** What must be known about the tomogram to write a file. */
  readonly tomogram?: 'voxelSize' | 'voxelSizeAndShape' | undefined;
  /** True if a file holds only one run. */
  readonly oneRun?: true | undefined;
  /** True if a file holds only one object. */
  readonly oneObject?: true | undefined;
  /** True if its files number the objects of picks, as classes, and do not name them. */
  readonly numbersObjects?: true | undefined;
  /** True if its files number their tomograms, and do not name them. */
  readonly numbersRuns?: true | undefined;
  /** True if a file of several runs is a header and the rows of each run, which `encodeRuns` writes one after the other. */
  readonly rowsOfRuns?: true | undefined;
}

const oneTable = { tomogram: 'voxelSize' } as const;

/**
 * What each format needs and can hold, by its name.
 *
 * `relion4` counts in pixels of the tilt series, whose size is not known from a tomogram.
 */
export const formatRequirements: Readonly<Record<PicksFormatName, FormatRequirements>> = {
  csv: { extension: 'csv', rowsOfRuns: true },
  submission: { extension: 'csv', rowsOfRuns: true },
  copick: { extension: 'json', oneRun: true, oneObject: true },
  relion3: { ...oneTable, extension: 'star', numbersObjects: true, rowsOfRuns: true },
  relion4: { extension: 'star', numbersObjects: true, rowsOfRuns: true },
  relion5: { extension: 'star', tomogram: 'voxelSizeAndShape', numbersObjects: true, rowsOfRuns: true },
  dynamo: { ...oneTable, extension: 'tbl', numbersObjects: true, numbersRuns: true },
  stopgap: { ...oneTable, extension: 'star', numbersObjects: true, numbersRuns: true },
  tom: { ...oneTable, extension: 'em', numbersObjects: true, numbersRuns: true },
  imod: { ...oneTable, extension: 'mod', oneRun: true },
  eman2: { extension: 'json', tomogram: 'voxelSizeAndShape', oneRun: true },
  ndjson: { ...oneTable, extension: 'ndjson', oneRun: true, oneObject: true },
  napari: { ...oneTable, extension: 'csv' },
  cmm: { extension: 'cmm' },
  points: { ...oneTable, extension: 'csv', oneRun: true, oneObject: true },
};
