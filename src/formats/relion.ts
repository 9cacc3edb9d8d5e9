import { CryoetPicksError } from '../core/errors.ts';
import { groupByRun, type ParticlePick, type RunPicks } from '../picks/pick.ts';
import { isIdentity, type Rotation, rotationFromEuler } from '../picks/rotation.ts';
import { type Point, toPhysical, toVoxel, type VoxelPlacement } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';
import {
  checkVoxelSize,
  gridAround,
  gridFrom,
  needVoxelSize,
  numberObjects,
  type ObjectNames,
  objectOf,
  type RunShapesOption,
  type ShapeOption,
  shapesByRun,
  type VoxelSizeOption,
} from './file-context.ts';
import type { Loss, PicksFormat } from './format.ts';
import { type CheckedPick, checkedAngles, checkedPicks, numberedInstance, pickFrom } from './pick-fields.ts';
import { formatStar, parseStar, type StarBlock, type StarRow, type StarTable } from './star.ts';

/** Options of {@link relion3Format} and {@link relion4Format}. */
export interface RelionFormatOptions extends VoxelSizeOption, ObjectNames {
  /** Run of all rows where the table has neither `rlnTomoName` nor `rlnMicrographName`. */
  readonly run?: string | undefined;
}

/** Options of {@link relion5Format}. */
export interface Relion5FormatOptions extends RelionFormatOptions, ShapeOption, RunShapesOption {
  /**
   * Where RELION 5 has its origin: `half` is at voxel `size / 2`, as its extraction has it (`TomogramSet::loadTomogram`);
   * `half-less-one` at voxel `size / 2 − 1`, as its own picking tools write (3dem/relion#1137).
   * @defaultValue `'half'`
   */
  readonly centre?: 'half' | 'half-less-one' | undefined;
}

const objectLoss: Loss = { part: 'object', what: 'RELION has class numbers, not names' };

/**
 * STAR of RELION 3, as Warp and M write it: `rlnCoordinateX` … in voxels, origins in voxels, `rlnMicrographName`.
 *
 * Reading takes any table of RELION 3, 4 or 5 (the last needs `relion5Format`, which knows the centre). The score is
 * `rlnAutopickFigureOfMerit`, the instance id `rlnHelicalTubeID`, the object `rlnClassNumber`, named by the options.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: relion3Format({ voxelSize: 10, object: 'ribosome' }) });
 * ```
 */
export function relion3Format(options: RelionFormatOptions = {}): PicksFormat {
  return relionFormat('RELION 3 STAR', options, (picks, columns) => {
    const grid = gridFrom(columns.voxelSize);
    return [
      tableOf(picks, {
        ...columns,
        block: '',
        labels: ['rlnMicrographName', 'rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'],
        lead: (pick) => [pick.run, ...coordinates(grid, pick)],
        // One pixel at a magnification of 10,000 takes as many µm on the detector as it has Å.
        more: { rlnMagnification: 10000, rlnDetectorPixelSize: columns.voxelSize[2] },
      }),
    ];
  });
}

/**
 * STAR of RELION 4: `rlnTomoName`, and `rlnCoordinateX` … in pixels of the tilt series, whose size is in the optics table.
 *
 * `voxelSize` is the size of those pixels, not of the binned tomogram that was picked in. See {@link relion3Format}.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: relion4Format({ voxelSize: 1.54 }) });
 * ```
 */
export function relion4Format(options: RelionFormatOptions = {}): PicksFormat {
  return relionFormat('RELION 4 STAR', options, (picks, columns) => {
    const grid = gridFrom(columns.voxelSize);
    return [
      {
        name: 'optics',
        labels: ['rlnOpticsGroup', 'rlnOpticsGroupName', 'rlnTomoTiltSeriesPixelSize'],
        rows: [[1, 'opticsGroup1', columns.voxelSize[2]]],
      },
      tableOf(picks, {
        ...columns,
        block: 'particles',
        labels: ['rlnTomoName', 'rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'],
        lead: (pick) => [pick.run, ...coordinates(grid, pick)],
        more: { rlnOpticsGroup: 1 },
      }),
    ];
  });
}

/**
 * STAR of RELION 5: `rlnCenteredCoordinateXAngst` …, in Å from the centre of the tomogram.
 *
 * Needs the shape and voxel size of a tomogram to know the centre; any binning does. Where tomograms have several shapes,
 * `shapes` has them by run. See {@link relion3Format}.
 *
 * @example
 * ```ts
 * const format = relion5Format({ shape: [184, 630, 630], voxelSize: 10.012, object: 'ribosome' });
 * ```
 */
export function relion5Format(options: Relion5FormatOptions = {}): PicksFormat {
  const shapeOf = shapesByRun(options);
  const less = options.centre === 'half-less-one' ? 1 : 0;
  const centreOf = (run: string) => shapeOf(run)?.map((count) => count / 2 - less) as unknown as Zyx | undefined;
  return relionFormat('RELION 5 STAR', { ...options, centreOf }, (picks, columns) => {
    const gridOf = (run: string) => {
      const centre = centreOf(run);
      if (centre !== undefined) return gridAround(centre, { voxelSize: columns.voxelSize, step: [1, 1, 1] });
      throw new CryoetPicksError(
        'invalid-option',
        'RELION 5 counts from the centre of the tomogram; give the options shape, in voxels, and voxelSize, in Å',
        { option: 'shape' },
      );
    };
    const grids = new Map([...new Set(picks.map(({ run }) => run))].map((run) => [run, gridOf(run)]));
    const labels = ['X', 'Y', 'Z'].map((axis) => `rlnCenteredCoordinate${axis}Angst`);
    return [
      tableOf(picks, {
        ...columns,
        block: 'particles',
        labels: ['rlnTomoName', ...labels],
        lead: (pick) => [pick.run, ...coordinates(grids.get(pick.run)!, pick)],
        more: {},
      }),
    ];
  });
}

interface Columns {
  readonly voxelSize: Zyx;
  readonly numberOf: (pick: CheckedPick) => number;
}

type BlocksOf = (picks: readonly CheckedPick[], columns: Columns) => StarBlock[];

function relionFormat(
  name: string,
  options: RelionFormatOptions & { readonly centreOf?: ((run: string) => Zyx | undefined) | undefined },
  blocksOf: BlocksOf,
): PicksFormat {
  const { centreOf = () => undefined, run, object, objects } = options;
  const voxelSize = checkVoxelSize(options.voxelSize);
  return {
    name,
    content: 'text',
    losses: [objectLoss],
    parse: (text, source) => parseRelion(text, source, { voxelSize, centreOf, run, object, objects }),
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const numberOf = numberObjects(picks, { objects });
      return formatStar(blocksOf(picks, { voxelSize: needVoxelSize(voxelSize, { place: name }), numberOf }));
    },
  };
}

interface TableOptions extends Columns {
  readonly block: string;
  readonly labels: readonly string[];
  readonly lead: (pick: CheckedPick) => readonly (string | number)[];
  /** Columns with the same number in every row. */
  readonly more: Readonly<Record<string, number>>;
}

function tableOf(picks: readonly CheckedPick[], { block, labels, lead, more, numberOf }: TableOptions): StarBlock {
  const withInstance = picks.some(({ pick }) => pick.instanceId !== undefined);
  return {
    name: block,
    labels: [
      ...labels,
      ...['rlnAngleRot', 'rlnAngleTilt', 'rlnAnglePsi', 'rlnClassNumber', 'rlnAutopickFigureOfMerit'],
      ...(withInstance ? ['rlnHelicalTubeID'] : []),
      ...Object.keys(more),
    ],
    rows: picks.map((checked) => [
      ...lead(checked),
      ...checkedAngles(checked, 'relion'),
      numberOf(checked),
      checked.pick.score,
      ...(withInstance ? [numberedInstance(checked, 'RELION')] : []),
      ...Object.values(more),
    ]),
  };
}

function coordinates(grid: VoxelPlacement, { pick }: CheckedPick): [number, number, number] {
  const [z, y, x] = toVoxel(grid, pick.position);
  return [x, y, z];
}

/** What reading RELION's tables needs, checked. */
export interface RelionReading extends ObjectNames {
  readonly run?: string | undefined;
  readonly voxelSize?: Zyx | undefined;
  /** The point that centred coordinates of a run count from, in voxels. */
  readonly centreOf: (run: string) => Zyx | undefined;
}

const code = 'invalid-picks';
const pixels = ['rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'] as const;
const centred = ['rlnCenteredCoordinateXAngst', 'rlnCenteredCoordinateYAngst', 'rlnCenteredCoordinateZAngst'] as const;

/**
 * Reads the particles of RELION 3, 4 and 5.
 *
 * As in RELION, the orientation is that of the subtomogram times that of the particle, and the origin, turned by that of the
 * subtomogram, is subtracted from the coordinates (`ParticleSet::getMatrix3x3`, `getPosition`).
 */
function parseRelion(text: string, source: string, options: RelionReading): RunPicks[] {
  const tables = parseStar(text, source);
  const particles = tables.find(({ labels }) => labels.includes(pixels[0]) || labels.includes(centred[0]));
  if (particles === undefined) {
    if (tables.some(({ name }) => name === 'stopgap_motivelist')) {
      throw new CryoetPicksError(code, `${source} is a motive list of STOPGAP, not a table of RELION`);
    }
    const names = tables.map(({ name }) => `data_${name}`).join(', ') || 'no block';
    throw new CryoetPicksError(code, `${source}: no table with _${pixels[0]} or _${centred[0]}; found ${names}`);
  }
  const optics = tables.find(({ name }) => name === 'optics');
  return groupByRun(
    particles.rows.map((row) => {
      const run = runOf(row, options.run);
      return { run, pick: readPick(row, { ...options, optics, centre: options.centreOf(run) }) };
    }),
  );
}

function runOf(row: StarRow, given: string | undefined): string {
  const run = row.text('rlnTomoName') ?? row.text('rlnMicrographName') ?? given;
  if (run !== undefined && run.trim() !== '') return run;
  throw new CryoetPicksError(
    'invalid-option',
    `${row.place}: neither _rlnTomoName nor _rlnMicrographName tells the run; give the option run`,
    { option: 'run' },
  );
}

interface RowReading extends RelionReading {
  readonly optics: StarTable | undefined;
  readonly centre: Zyx | undefined;
}

function readPick(row: StarRow, options: RowReading): ParticlePick {
  const ofSubtomogram = anglesOf(row, ['rlnTomoSubtomogramRot', 'rlnTomoSubtomogramTilt', 'rlnTomoSubtomogramPsi']);
  const ofParticle = anglesOf(row, ['rlnAngleRot', 'rlnAngleTilt', 'rlnAnglePsi']);
  const rotation = isIdentity(ofSubtomogram) ? ofParticle : product(ofSubtomogram, ofParticle);
  const found = pixelSize(row, options.optics);
  const origin = turned(ofSubtomogram, originOf(row, { ...options, found }));
  const { x, y, z } = coordinateOf(row, { ...options, found });
  const pick = {
    object: objectOf(row.number('rlnClassNumber') ?? 1, options, row.place),
    position: { x: x - origin.x, y: y - origin.y, z: z - origin.z },
    score: row.number('rlnAutopickFigureOfMerit'),
    instance: row.number('rlnHelicalTubeID'),
    rotation,
  };
  return pickFrom(pick, row.place);
}

function anglesOf(row: StarRow, [rot, tilt, psi]: readonly [string, string, string]): Rotation {
  return rotationFromEuler([row.number(rot) ?? 0, row.number(tilt) ?? 0, row.number(psi) ?? 0], 'relion');
}

interface Placing extends RowReading {
  readonly found: number | undefined;
}

/** Where a row lies in Å, without its origin; from the tomogram's centre where both ways are there and the centre is known. */
function coordinateOf(row: StarRow, { voxelSize, centre, found }: Placing): Point {
  const fromCentre = triple(row, centred);
  if (fromCentre !== undefined && centre !== undefined && voxelSize !== undefined) {
    return toPhysical(gridAround(centre, { voxelSize, step: [1, 1, 1] }), fromCentre);
  }
  const voxel = triple(row, pixels);
  if (voxel !== undefined) return toPhysical(gridFrom(needVoxelSize(voxelSize, { found, place: row.place })), voxel);
  if (fromCentre === undefined) {
    throw new CryoetPicksError(
      code,
      `${row.place}: expected all of _${pixels.join(', _')}, or _${centred.join(', _')}`,
    );
  }
  throw new CryoetPicksError(
    'invalid-option',
    `${row.place} counts from the centre of the tomogram; give the options shape, in voxels, and voxelSize, in Å`,
    { option: centre === undefined ? 'shape' : 'voxelSize' },
  );
}

function originOf(row: StarRow, { voxelSize, found }: Placing): Point {
  const inAngstrom = triple(row, ['rlnOriginXAngst', 'rlnOriginYAngst', 'rlnOriginZAngst']);
  if (inAngstrom !== undefined) return { x: inAngstrom[2], y: inAngstrom[1], z: inAngstrom[0] };
  const inPixels = triple(row, ['rlnOriginX', 'rlnOriginY', 'rlnOriginZ']);
  if (inPixels === undefined || inPixels.every((shift) => shift === 0)) return { x: 0, y: 0, z: 0 };
  return toPhysical(gridFrom(needVoxelSize(voxelSize, { found, place: row.place })), inPixels);
}

/** Three numbers under labels for x, y, z; undefined if one of the labels is missing. */
function triple(row: StarRow, [x, y, z]: readonly [string, string, string]): Zyx | undefined {
  const [atX, atY, atZ] = [row.number(x), row.number(y), row.number(z)];
  return atX === undefined || atY === undefined || atZ === undefined ? undefined : [atZ, atY, atX];
}

/** Size in Å of the pixels that a row counts in, where the file tells: that of the tilt series, or RELION 3's of the image. */
function pixelSize(row: StarRow, optics: StarTable | undefined): number | undefined {
  const group = row.text('rlnOpticsGroup');
  const ofGroup =
    optics?.rows.find((candidate) => group !== undefined && candidate.text('rlnOpticsGroup') === group) ??
    (optics?.rows.length === 1 ? optics.rows[0] : undefined);
  const known = ofGroup?.number('rlnTomoTiltSeriesPixelSize') ?? row.number('rlnPixelSize');
  if (known !== undefined) return known;
  const detector = row.number('rlnDetectorPixelSize');
  const magnification = row.number('rlnMagnification');
  // Detector pixels are in µm.
  return detector === undefined || magnification === undefined ? undefined : (detector * 1e4) / magnification;
}

function product(a: Rotation, b: Rotation): Rotation {
  return a.map((row) =>
    [0, 1, 2].map((j) => row[0] * b[0][j]! + row[1] * b[1][j]! + row[2] * b[2][j]!),
  ) as unknown as Rotation;
}

function turned([rowX, rowY, rowZ]: Rotation, { x, y, z }: Point): Point {
  return {
    x: rowX[0] * x + rowX[1] * y + rowX[2] * z,
    y: rowY[0] * x + rowY[1] * y + rowY[2] * z,
    z: rowZ[0] * x + rowZ[1] * y + rowZ[2] * z,
  };
}
