import { CryoetPicksError } from '../../errors.ts';
import { toPhysical } from '../../space/grid.ts';
import type { Point } from '../../space/point.ts';
import type { Zyx } from '../../space/zyx.ts';
import type { Pick } from '../pick.ts';
import { isIdentity, type Rotation, rotationFromEuler } from '../rotation.ts';
import { groupByRun, type RunPicks } from '../run-picks.ts';
import { gridAround, gridFrom, needVoxelSize } from './file-grid.ts';
import { type ObjectNames, objectOf } from './numbered-names.ts';
import { pickFrom } from './pick-from.ts';
import { parseStar, type StarRow, type StarTable } from './star.ts';

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
export function parseRelion(text: string, source: string, options: RelionReading): RunPicks[] {
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
  );
}

interface RowReading extends RelionReading {
  readonly optics: StarTable | undefined;
  readonly centre: Zyx | undefined;
}

function readPick(row: StarRow, options: RowReading): Pick {
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
