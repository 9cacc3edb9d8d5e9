import { oneOf, requireOptions } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { lineSteps, type TextContent } from '../core/text-pieces.ts';
import { parseNumber } from '../picks/csv.ts';
import type { RunPicks } from '../picks/pick.ts';
import { rotationFromEuler } from '../picks/rotation.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridFrom,
  needVoxelSize,
  numberedRuns,
  numberObjects,
  numberRuns,
  type ObjectNames,
  objectOf,
  type RunNames,
  type RunVoxelSizesOption,
  tableRules,
  type VoxelSizeOption,
  voxelSizesByRun,
} from './file-context.ts';
import { checkedFormat, fileWarner, type ParseReports, type PicksFormat } from './format.ts';
import { checkedAngles, linesOf, numberedInstance, pickFrom, picksToWrite } from './pick-fields.ts';

/** Options of {@link dynamoFormat}. */
export interface DynamoFormatOptions extends VoxelSizeOption, RunVoxelSizesOption, ObjectNames, RunNames {
  /**
   * The coordinate of the first voxel in columns 24–26: 0 as in copick, 1 as in MATLAB.
   * @defaultValue 0
   */
  readonly firstVoxel?: 0 | 1 | undefined;
}

const code = 'invalid-picks';
const name = 'Dynamo table';
/** Columns as numbered by Dynamo's table convention, from 1. */
const column = {
  ...{ tag: 1, aligned: 2, averaged: 3, dx: 4, dy: 5, dz: 6, tdrot: 7, tilt: 8, narot: 9, cc: 10 },
  ...{ tomo: 20, region: 21, class: 22, x: 24, y: 25, z: 26, apix: 36 },
} as const;
type Column = keyof typeof column;
const width = 42;

/**
 * Table of Dynamo (`.tbl`): voxels plus shifts, and tdrot, tilt, narot.
 *
 * The object is the class (column 22), the instance id the region (column 21; 0 means none), the run the tomogram number
 * (column 20); options give the names of the numbers. The voxel size is that of the options, otherwise column 36. Of a complex
 * number, which MATLAB writes where a correlation went wrong, the real part is read.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: dynamoFormat({ voxelSize: 10, object: 'ribosome', run: 'TS_5_4' }) });
 * ```
 */
export function dynamoFormat(options: DynamoFormatOptions = {}): PicksFormat {
  requireOptions('dynamoFormat', options, { ...tableRules, firstVoxel: oneOf(0, 1, undefined) });
  const voxelSize = checkVoxelSize(options.voxelSize);
  return checkedFormat({
    name,
    content: 'text',
    losses: [
      { part: 'object', what: 'Dynamo has class numbers, not names' },
      { part: 'run', what: 'Dynamo has tomogram numbers, not names' },
    ],
    parse: (content, source, reports) => parse(content, source, { ...options, reports }),
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const size = needVoxelSize(voxelSize, { place: name });
      const grid = gridFrom(size, options.firstVoxel);
      const objectNumber = numberObjects(picks, options);
      const runNumber = numberRuns(picks, options);
      yield* linesOf(picks.each(), (checked, index) => {
        const [tdrot, tilt, narot] = checkedAngles(checked, 'dynamo');
        const [z, y, x] = toVoxel(grid, checked.pick.position);
        const numbers = {
          tomo: runNumber(checked),
          region: numberedInstance(checked, name),
          class: objectNumber(checked),
        };
        const found = { cc: checked.pick.score, x, y, z, tdrot, tilt, narot, apix: size[2] };
        return lineOf({ tag: index + 1, aligned: 1, ...numbers, ...found });
      });
    },
  });
}

function lineOf(values: Readonly<Partial<Record<Column, number>>>): string {
  const cells = new Array<number>(width).fill(0);
  for (const [key, value] of Object.entries(values)) cells[column[key as Column] - 1] = value + 0;
  return `${cells.join(' ')}\n`;
}

interface Row {
  readonly place: string;
  readonly at: (key: Column) => number;
  /** A length that may be unknown: NaN, or 0. */
  readonly length: (key: Column) => number;
}

type Reading = DynamoFormatOptions & { readonly reports: ParseReports };

function* parse(content: TextContent, source: string, options: Reading): Steps<RunPicks[]> {
  const voxelSizeOf = voxelSizesByRun(options);
  const warn = fileWarner(source, options.reports);
  const runs = numberedRuns(options, source);
  let isTold = false;
  const warnOnce = (code: string, message: string) => {
    if (!isTold) warn(code, message);
    isTold = true;
  };
  yield* lineSteps(content, { source, code }, (line, number) => {
    const row = rowOf(line, { place: `${source}, line ${number}`, warn: warnOnce });
    if (row === undefined) return;
    const { at, place } = row;
    const tomogram = at('tomo');
    const stated = [{ size: row.length('apix'), where: `column ${column.apix} (apix)` }];
    const size = needVoxelSize(voxelSizeOf(runs.nameOf(tomogram)), { stated, place, warn });
    const grid = gridFrom(size, options.firstVoxel);
    const pick = {
      object: objectOf(at('class'), options, place),
      position: toPhysical(grid, [at('z') + at('dz'), at('y') + at('dy'), at('x') + at('dx')]),
      score: at('cc'),
      instance: at('region'),
      rotation: rotationFromEuler([at('tdrot'), at('tilt'), at('narot')], 'dynamo'),
    };
    runs.add(tomogram, pickFrom(pick, place));
  });
  return runs.all();
}

/** The row of a line; undefined for a blank one. */
function rowOf(line: string, { place, warn }: Omit<ComplexContext, 'key'>): Row | undefined {
  const cells = line.trim().split(/\s+/);
  if (cells[0] === '') return undefined;
  if (cells.length < column.z) {
    throw new CryoetPicksError(code, `${place}: ${cells.length} columns; expected at least ${column.z}`);
  }
  const length = (key: Column) => {
    const cell = cells[column[key] - 1];
    const value = cell === undefined ? 0 : (parseNumber(cell) ?? realPart(cell, { key, place, warn }));
    if (value !== undefined) return value;
    throw new CryoetPicksError(
      code,
      `${place}: column ${column[key]} (${key}) is ${showJson(cell)}; expected a finite number`,
    );
  };
  const at = (key: Column) => {
    const value = length(key);
    if (Number.isFinite(value)) return value;
    throw new CryoetPicksError(code, `${place}: column ${column[key]} (${key}) is ${value}; expected a finite number`);
  };
  return { place, at, length };
}

const complex = /^([+-]?[\d.]+(?:e[+-]?\d+)?)([+-][\d.]+(?:e[+-]?\d+)?)[ij]$/i;

interface ComplexContext {
  readonly key: Column;
  readonly place: string;
  readonly warn: (code: string, message: string) => void;
}

/** The real part of a complex number; undefined for other text. */
function realPart(cell: string, { key, place, warn }: ComplexContext): number | undefined {
  if (cell.length > 100) return undefined;
  const [, real, imaginary] = complex.exec(cell) ?? [];
  if (real === undefined || imaginary === undefined) return undefined;
  const value = parseNumber(real);
  if (value !== undefined && Number(imaginary) !== 0) {
    warn(
      'imaginary-part',
      `${place}: column ${column[key]} (${key}) is the complex ${cell}; of it, and of others after it, the real part is read`,
    );
  }
  return value;
}
