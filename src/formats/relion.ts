import { anything, oneOf, optional, type RulesFor, record, requireOptions } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { TextContent } from '../core/text-pieces.ts';
import { type ParticlePick, picksByRun, type RunPicks } from '../picks/pick.ts';
import { product, type Rotation, rotationFromEuler } from '../picks/rotation.ts';
import { type Point, toPhysical, toVoxel, type VoxelPlacement, type Zyx } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridAround,
  gridFrom,
  needVoxelSize,
  numberObjects,
  type ObjectNames,
  objectOf,
  type RunShapesOption,
  type RunVoxelSizesOption,
  type ShapeOption,
  type StatedSize,
  shapesByRun,
  tableRules,
  type VoxelSizeOption,
  voxelSizesByRun,
} from './file-context.ts';
import { checkedFormat, fileWarner, type Loss, type ParseReports, type PicksFormat } from './format.ts';
import {
  type CheckedPick,
  checkedAngles,
  eachInPieces,
  mapped,
  numberedInstance,
  type PicksToWrite,
  pickFrom,
  picksToWrite,
} from './pick-fields.ts';
import {
  onlyTable,
  type StarBlock,
  type StarRow,
  type StarTable,
  starPieces,
  starSteps,
  unreadLabels,
} from './star.ts';

/** Options of {@link relion3Format} and {@link relion4Format}; shapes are for coordinates that are fractions. */
export interface RelionFormatOptions
  extends VoxelSizeOption,
    RunVoxelSizesOption,
    ObjectNames,
    ShapeOption,
    RunShapesOption {
  /** Run of all rows of a table with neither `rlnTomoName` nor `rlnMicrographName`. */
  readonly run?: string | undefined;
  /**
   * What `rlnCoordinateX` … of a file are: voxels, or fractions of the tomogram from 0 to 1, as Warp's template matching writes
   * them. If absent, they are fractions if all of them lie between 0 and 1 and not all are whole.
   */
  readonly coordinates?: 'voxels' | 'fractions' | undefined;
}

/** Options of {@link relion5Format}. */
export interface Relion5FormatOptions extends RelionFormatOptions {
  /**
   * The origin of RELION 5: `half` is voxel `size / 2`, as in its extraction (`TomogramSet::loadTomogram`); `half-less-one` is
   * voxel `size / 2 − 1`, as in its own picking tools (3dem/relion#1137).
   * @defaultValue `'half'`
   */
  readonly centre?: 'half' | 'half-less-one' | undefined;
}

const objectLoss: Loss = { part: 'object', what: 'RELION has class numbers, not names' };

/**
 * STAR of RELION 3, as written by Warp and M: `rlnCoordinateX` … in voxels, origins in voxels, `rlnMicrographName`.
 *
 * Reads any table of RELION 3, 4 or 5; for tables of RELION 5 use `relion5Format`, which knows the centre. The score is
 * `rlnAutopickFigureOfMerit`, the instance id `rlnHelicalTubeID`, the object `rlnClassNumber`, whose names the options give.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: relion3Format({ voxelSize: 10, object: 'ribosome' }) });
 * ```
 */
export function relion3Format(options: RelionFormatOptions = {}): PicksFormat {
  requireOptions('relion3Format', options, relionRules);
  return relionFormat('RELION 3 STAR', options, (picks, columns) => {
    const grid = gridFrom(columns.voxelSize);
    return [
      tableOf(picks, {
        ...columns,
        block: '',
        labels: ['rlnMicrographName', 'rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'],
        lead: (pick) => [pick.run, ...coordinates(grid, pick)],
        // At a magnification of 10,000, the size of a detector pixel in µm equals that of an image pixel in Å.
        more: { rlnMagnification: 10000, rlnDetectorPixelSize: columns.voxelSize[2] },
      }),
    ];
  });
}

/**
 * STAR of RELION 4: `rlnTomoName`, and `rlnCoordinateX` … in pixels of the tilt series, whose size is in the optics table.
 *
 * `voxelSize` is the size of those pixels, not that of the binned tomogram that was picked. See {@link relion3Format}.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: relion4Format({ voxelSize: 1.54 }) });
 * ```
 */
export function relion4Format(options: RelionFormatOptions = {}): PicksFormat {
  requireOptions('relion4Format', options, relionRules);
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
 * Needs the shape and voxel size of the tomogram, at any binning, to compute the centre. If tomograms differ in shape, give
 * `shapes` by run. See {@link relion3Format}.
 *
 * @example
 * ```ts
 * const format = relion5Format({ shape: [184, 630, 630], voxelSize: 10.012, object: 'ribosome' });
 * ```
 */
export function relion5Format(options: Relion5FormatOptions = {}): PicksFormat {
  requireOptions('relion5Format', options, relion5Rules);
  const shapeOf = shapesByRun(options);
  const less = options.centre === 'half-less-one' ? 1 : 0;
  const centreOf = (run: string) => shapeOf(run)?.map((count) => count / 2 - less) as unknown as Zyx | undefined;
  return relionFormat('RELION 5 STAR', { ...options, centreOf }, (picks, columns) => {
    const gridOf = (run: string) => {
      const centre = centreOf(run);
      if (centre !== undefined) return gridAround(centre, { voxelSize: columns.voxelSize, step: [1, 1, 1] });
      throw needsCentre('shape');
    };
    const grids = new Map([...picks.runs].map((run) => [run, gridOf(run)]));
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

function needsCentre(option: 'shape' | 'voxelSize'): CryoetPicksError {
  return new CryoetPicksError(
    'invalid-option',
    'positions of RELION 5 are relative to the centre of the tomogram; give the option shape, in voxels, and the option voxelSize, in Å',
    { option },
  );
}

const { runs: _, ...named } = tableRules;
const relionRules: RulesFor<RelionFormatOptions> = {
  ...named,
  shape: anything,
  shapes: /* @__PURE__ */ optional(record),
  coordinates: /* @__PURE__ */ oneOf('voxels', 'fractions', undefined),
};
const relion5Rules: RulesFor<Relion5FormatOptions> = {
  ...relionRules,
  centre: /* @__PURE__ */ oneOf('half', 'half-less-one', undefined),
};

interface Columns {
  readonly voxelSize: Zyx;
  readonly numberOf: (pick: CheckedPick) => number;
}

type BlocksOf = (picks: PicksToWrite, columns: Columns) => StarBlock[];

function relionFormat(
  name: string,
  options: RelionFormatOptions & { readonly centreOf?: ((run: string) => Zyx | undefined) | undefined },
  blocksOf: BlocksOf,
): PicksFormat {
  const { centreOf = () => undefined, run, object, objects, coordinates: kind } = options;
  const voxelSize = checkVoxelSize(options.voxelSize);
  const [sizeOf, shapeOf] = [voxelSizesByRun(options), shapesByRun(options)];
  const tomogramOf = (name: string) => ({ voxelSize: sizeOf(name), centre: centreOf(name), shape: shapeOf(name) });
  const reading = { tomogramOf, run, object, objects, kind };
  return checkedFormat({
    name,
    content: 'text',
    losses: [objectLoss],
    *leftOut(content, source) {
      const particles = particlesOf(yield* starSteps(content, { source }), source);
      // Where the file has RELION's score, that of pytom is not read.
      const unread = particles?.labels.includes(scores[0]) ? [scores[1]] : [];
      return unreadLabels(particles, new Set([...readLabels].filter((label) => !unread.some((one) => one === label))));
    },
    parse: (content, source, reports) => parseRelion(content, source, { ...reading, reports }),
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const numberOf = numberObjects(picks, { objects });
      if (voxelSize === undefined && options.centreOf !== undefined) throw needsCentre('voxelSize');
      yield* starPieces(blocksOf(picks, { voxelSize: needVoxelSize(voxelSize, { place: name }), numberOf }));
    },
  });
}

interface TableOptions extends Columns {
  readonly block: string;
  readonly labels: readonly string[];
  readonly lead: (pick: CheckedPick) => readonly (string | number)[];
  /** Columns with the same number in every row. */
  readonly more: Readonly<Record<string, number>>;
}

function tableOf(picks: PicksToWrite, { block, labels, lead, more, numberOf }: TableOptions): StarBlock {
  const { hasInstances } = picks;
  return {
    name: block,
    labels: [
      ...labels,
      ...['rlnAngleRot', 'rlnAngleTilt', 'rlnAnglePsi', 'rlnClassNumber', 'rlnAutopickFigureOfMerit'],
      ...(hasInstances ? ['rlnHelicalTubeID'] : []),
      ...Object.keys(more),
    ],
    rows: mapped(picks.each(), (checked) => [
      ...lead(checked),
      ...checkedAngles(checked, 'relion'),
      numberOf(checked),
      checked.pick.score,
      ...(hasInstances ? [numberedInstance(checked, 'RELION')] : []),
      ...Object.values(more),
    ]),
  };
}

function coordinates(grid: VoxelPlacement, { pick }: CheckedPick): [number, number, number] {
  const [z, y, x] = toVoxel(grid, pick.position);
  return [x, y, z];
}

/** What the options say of the tomogram of a run. */
interface Tomogram {
  readonly voxelSize: Zyx | undefined;
  /** The origin of its centred coordinates, in voxels. */
  readonly centre: Zyx | undefined;
  readonly shape: Zyx | undefined;
}

/** The checked options for reading RELION's tables. */
interface RelionReading extends ObjectNames {
  readonly run?: string | undefined;
  readonly tomogramOf: (run: string) => Tomogram;
  readonly kind: 'voxels' | 'fractions' | undefined;
  readonly reports: ParseReports;
}

const code = 'invalid-picks';
const pixels = ['rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'] as const;
const centred = ['rlnCenteredCoordinateXAngst', 'rlnCenteredCoordinateYAngst', 'rlnCenteredCoordinateZAngst'] as const;
const originsInAngstrom = ['rlnOriginXAngst', 'rlnOriginYAngst', 'rlnOriginZAngst'] as const;
const originsInPixels = ['rlnOriginX', 'rlnOriginY', 'rlnOriginZ'] as const;
const subtomogramAngles = ['rlnTomoSubtomogramRot', 'rlnTomoSubtomogramTilt', 'rlnTomoSubtomogramPsi'] as const;
const particleAngles = ['rlnAngleRot', 'rlnAngleTilt', 'rlnAnglePsi'] as const;
/** RELION's score, and that of pytom-match-pick. */
const scores = ['rlnAutopickFigureOfMerit', 'rlnLCCmax'] as const;
const readLabels: ReadonlySet<string> = new Set([
  ...pixels,
  ...centred,
  ...originsInAngstrom,
  ...originsInPixels,
  ...subtomogramAngles,
  ...particleAngles,
  ...scores,
  ...['rlnTomoName', 'rlnMicrographName', 'rlnClassNumber', 'rlnHelicalTubeID', 'rlnOpticsGroup'],
  ...['rlnPixelSize', 'rlnDetectorPixelSize', 'rlnMagnification'],
]);

function particlesOf(tables: readonly StarTable[], source: string): StarTable | undefined {
  const isWanted = ({ labels }: StarTable) => labels.includes(pixels[0]) || labels.includes(centred[0]);
  return onlyTable(tables, { source, isWanted, what: 'particles' });
}

/**
 * Reads the particles of RELION 3, 4 and 5.
 *
 * As in RELION, the orientation is that of the subtomogram times that of the particle, and the origin, rotated by the orientation
 * of the subtomogram, is subtracted from the coordinates (`ParticleSet::getMatrix3x3`, `getPosition`).
 */
function* parseRelion(content: TextContent, source: string, options: RelionReading): Steps<RunPicks[]> {
  const warn = fileWarner(source, options.reports);
  const tables = yield* starSteps(content, { source, warn });
  const particles = particlesOf(tables, source);
  if (particles === undefined) {
    if (tables.some(({ name }) => name === 'stopgap_motivelist')) {
      throw new CryoetPicksError(code, `${source} is a motive list of STOPGAP, not a table of RELION`);
    }
    const names = tables.map(({ name }) => `data_${name}`).join(', ') || 'no block';
    throw new CryoetPicksError(code, `${source}: no table with _${pixels[0]} or _${centred[0]}; found ${names}`);
  }
  const optics = opticsOf(tables.find(({ name }) => name === 'optics'));
  const isFraction = yield* holdsFractions(particles, options);
  if (isFraction && options.kind === undefined) {
    const found = `${source}: all coordinates lie between 0 and 1`;
    warn('coordinates-are-fractions', `${found}; they are read as fractions of the tomogram, as Warp writes them`);
  }
  const runs = picksByRun();
  const has = (labels: readonly string[]) => labels.some((label) => particles.labels.includes(label));
  const common = {
    ...{ object: options.object, objects: options.objects, isFraction, warn },
    pixelSizeOf: pixelSizes(optics, { has, warn }),
    hasOrigins: has([...originsInAngstrom, ...originsInPixels]),
    ofSubtomogram: has(subtomogramAngles) ? subtomogramAngles : undefined,
    ofParticle: has(particleAngles) ? particleAngles : undefined,
  };
  const readings = new Map<string, RowReading>();
  yield* eachInPieces(particles.rows(), (row) => {
    const run = runOf(row, options.run);
    let reading = readings.get(run);
    if (reading === undefined) {
      reading = { ...common, ...options.tomogramOf(run) };
      readings.set(run, reading);
    }
    runs.add(run, readPick(row, reading));
  });
  return runs.all();
}

/** Whether the coordinates of a table are fractions of the tomogram, by the option or by their range. */
function* holdsFractions(table: StarTable, { kind }: RelionReading): Steps<boolean> {
  if (kind !== undefined) return kind === 'fractions';
  if (table.labels.includes(centred[0])) return false;
  let isWhole = true;
  let count = 0;
  for (const row of table.rows()) {
    const voxel = triple(row, pixels);
    if (voxel === undefined || voxel.some((value) => value < 0 || value > 1)) return false;
    isWhole &&= voxel.every(Number.isInteger);
    if (++count % 512 === 0) yield;
  }
  return !isWhole;
}

function runOf(row: StarRow, given: string | undefined): string {
  const run = row.text('rlnTomoName') ?? row.text('rlnMicrographName') ?? given;
  if (run !== undefined && run.trim() !== '') return run;
  throw new CryoetPicksError(
    'invalid-option',
    `${row.place}: neither _rlnTomoName nor _rlnMicrographName names the run; give the option run`,
    { option: 'run' },
  );
}

/** How the rows of one run are read. */
interface RowReading extends ObjectNames, Tomogram {
  readonly isFraction: boolean;
  /** The size of the pixels that a row states or, if it is given, the voxel size. */
  readonly pixelSizeOf: (row: StarRow, given: Zyx | undefined) => Zyx;
  readonly hasOrigins: boolean;
  /** The labels of the angles, if the table has any of them. */
  readonly ofSubtomogram: typeof subtomogramAngles | undefined;
  readonly ofParticle: typeof particleAngles | undefined;
}

function readPick(row: StarRow, reading: RowReading): ParticlePick {
  const ofSubtomogram = anglesOf(row, reading.ofSubtomogram);
  const ofParticle = anglesOf(row, reading.ofParticle);
  const position = coordinateOf(row, reading);
  return pickFrom(
    {
      object: objectOf(row.number('rlnClassNumber') ?? 1, reading, row),
      position: reading.hasOrigins ? minus(position, originOf(row, reading), ofSubtomogram) : position,
      score: row.number(scores[0]) ?? row.number(scores[1]),
      instance: row.number('rlnHelicalTubeID'),
      rotation: ofSubtomogram && ofParticle ? product(ofSubtomogram, ofParticle) : (ofSubtomogram ?? ofParticle),
    },
    row,
  );
}

/** A position less an origin, which a subtomogram has turned. */
function minus({ x, y, z }: Point, origin: Point, turn: Rotation | undefined): Point {
  const shift = turn === undefined ? origin : turned(turn, origin);
  return { x: x - shift.x, y: y - shift.y, z: z - shift.z };
}

/** The rotation of a row; undefined for none. */
function anglesOf(row: StarRow, labels: readonly [string, string, string] | undefined): Rotation | undefined {
  if (labels === undefined) return undefined;
  const [rot, tilt, psi] = [row.number(labels[0]) ?? 0, row.number(labels[1]) ?? 0, row.number(labels[2]) ?? 0];
  if (rot === 0 && tilt === 0 && psi === 0) return undefined;
  return rotationFromEuler([rot, tilt, psi], 'relion');
}

/**
 * The position of a row in Å, before its origin is subtracted; if a row has both coordinates and the centre is known, the
 * centred ones.
 */
function coordinateOf(row: StarRow, { voxelSize, centre, isFraction, shape, pixelSizeOf }: RowReading): Point {
  const fromCentre = triple(row, centred);
  if (fromCentre !== undefined && centre !== undefined && voxelSize !== undefined) {
    return toPhysical(gridAround(centre, { voxelSize, step: [1, 1, 1] }), fromCentre);
  }
  const found = triple(row, pixels);
  if (found !== undefined) {
    const [z, y, x] = found;
    if (!isFraction) return toPhysical(gridFrom(pixelSizeOf(row, voxelSize)), found);
    if (shape !== undefined) {
      return toPhysical(gridFrom(pixelSizeOf(row, voxelSize)), [z * shape[0], y * shape[1], x * shape[2]]);
    }
    throw new CryoetPicksError(
      'invalid-option',
      `the coordinates in ${row.place} lie between 0 and 1, as those of the whole table do: fractions of the tomogram, as Warp writes ` +
        'them; give the option shape, in voxels, and the option voxelSize, in Å; if they are voxels, say so by the option coordinates ' +
        '(--coordinates voxels on the command line)',
      { option: 'shape' },
    );
  }
  if (fromCentre === undefined) {
    throw new CryoetPicksError(
      code,
      `${row.place}: expected all of _${pixels.join(', _')}, or _${centred.join(', _')}`,
    );
  }
  throw new CryoetPicksError(
    'invalid-option',
    `the position in ${row.place} is relative to the centre of the tomogram; give the option shape, in voxels, and the option voxelSize, in Å`,
    { option: centre === undefined ? 'shape' : 'voxelSize' },
  );
}

/** The origin of a row in Å: along each axis that in Å, otherwise that in pixels, otherwise 0. */
function originOf(row: StarRow, { voxelSize, pixelSizeOf }: RowReading): Point {
  const [x, y, z] = [2, 1, 0].map((axis) => {
    const inAngstrom = row.number(originsInAngstrom[2 - axis]!);
    if (inAngstrom !== undefined) return inAngstrom;
    const inPixels = row.number(originsInPixels[2 - axis]!) ?? 0;
    return inPixels === 0 ? 0 : inPixels * pixelSizeOf(row, voxelSize)[axis]!;
  });
  return { x: x!, y: y!, z: z! };
}

interface PixelSizesOptions {
  readonly has: (labels: readonly string[]) => boolean;
  readonly warn: (code: string, message: string) => void;
}

/** The labels that state the size of the pixels of a row. */
const sizeLabels = ['rlnOpticsGroup', 'rlnPixelSize', 'rlnDetectorPixelSize', 'rlnMagnification'] as const;

/** Finds the size of the pixels that coordinates count: that of the option, otherwise what the file states; for equal rows once. */
function pixelSizes(optics: Optics, { has, warn }: PixelSizesOptions): RowReading['pixelSizeOf'] {
  const labels = sizeLabels.filter((label) => has([label]));
  const known = new Map<Zyx | undefined, Map<string, Zyx>>();
  return (row, given) => {
    const sizes = known.get(given) ?? new Map<string, Zyx>();
    known.set(given, sizes);
    const stated = labels.map((label) => row.text(label)).join(' ');
    const found =
      sizes.get(stated) ?? needVoxelSize(given, { stated: statedSizes(row, optics), place: row.place, warn });
    sizes.set(stated, found);
    return found;
  };
}

/** Three numbers under labels for x, y, z; undefined if one of the labels is missing. */
function triple(row: StarRow, [x, y, z]: readonly [string, string, string]): Zyx | undefined {
  const [atX, atY, atZ] = [row.number(x), row.number(y), row.number(z)];
  return atX === undefined || atY === undefined || atZ === undefined ? undefined : [atZ, atY, atX];
}

/** The rows of a table of optics groups. */
interface Optics {
  /** The first row of each group. */
  readonly byGroup: ReadonlyMap<string, StarRow>;
  /** The row of a table of one row, which is that of all particles. */
  readonly only: StarRow | undefined;
}

function opticsOf(table: StarTable | undefined): Optics {
  const byGroup = new Map<string, StarRow>();
  let only: StarRow | undefined;
  for (const row of table?.rows() ?? []) {
    const group = row.text('rlnOpticsGroup');
    if (group !== undefined && !byGroup.has(group)) byGroup.set(group, row);
    only = table?.rowCount === 1 ? row : undefined;
  }
  return { byGroup, only };
}

/**
 * The row of the optics table that a particle is of: that of its group, or, where either names no group, the only one.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a group that the optics table lacks.
 */
function opticsRowOf(row: StarRow, { byGroup, only }: Optics): StarRow | undefined {
  const group = row.text('rlnOpticsGroup');
  if (group === undefined || byGroup.size === 0) return only;
  const found = byGroup.get(group);
  if (found !== undefined) return found;
  const groups = [...byGroup.keys()];
  const known = `${groups.slice(0, 10).join(', ')}${groups.length > 10 ? ', …' : ''}`;
  throw new CryoetPicksError(
    code,
    `${row.place}: _rlnOpticsGroup is ${group}; expected a group of data_optics: ${known}`,
  );
}

/** The pixel sizes of a row in Å that the file states: that of the tilt series, or, for RELION 3, that of the image. */
function statedSizes(row: StarRow, optics: Optics): StatedSize[] {
  const ofGroup = opticsRowOf(row, optics);
  const stated = (label: string, of: StarRow | undefined) => ({ size: lengthIn(of, label), where: `_${label}` });
  // Detector pixels are in µm.
  const detector = (lengthIn(row, 'rlnDetectorPixelSize') ?? Number.NaN) * 1e4;
  return [
    stated('rlnTomoTiltSeriesPixelSize', ofGroup),
    stated('rlnPixelSize', row),
    {
      size: detector / (lengthIn(row, 'rlnMagnification') ?? Number.NaN),
      where: '_rlnDetectorPixelSize over _rlnMagnification',
    },
  ];
}

/** A length that may be missing: programs write `nan` where they do not know it. */
function lengthIn(row: StarRow | undefined, label: string): number | undefined {
  const cell = row?.text(label);
  return cell === undefined || /^[+-]?(?:<?n\/?an?>?|none|null|inf)$/i.test(cell) ? undefined : row!.number(label);
}

function turned([rowX, rowY, rowZ]: Rotation, { x, y, z }: Point): Point {
  return {
    x: rowX[0] * x + rowX[1] * y + rowX[2] * z,
    y: rowY[0] * x + rowY[1] * y + rowY[2] * z,
    z: rowZ[0] * x + rowZ[1] * y + rowZ[2] * z,
  };
}
