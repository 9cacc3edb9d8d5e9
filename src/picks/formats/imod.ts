import { CryoetPicksError } from '../../errors.ts';
import { toPhysical, toVoxel, type VoxelPlacement } from '../../space/grid.ts';
import type { Zyx } from '../../space/zyx.ts';
import type { Pick } from '../pick.ts';
import type { RunPicks } from '../run-picks.ts';
import { type CheckedPick, checkedPicks, onlyRun } from './checked.ts';
import { checkShape, checkVoxelSize, needVoxelSize, type ShapeOption, type VoxelSizeOption } from './file-grid.ts';
import type { PicksFormat } from './format.ts';
import { type ImodContour, type ImodModel, readImodModel } from './imod-model.ts';
import { numberedInstance } from './instance-id.ts';
import { needName } from './needed-name.ts';
import { pickFrom } from './pick-from.ts';
import { writeImodModel } from './write-imod-model.ts';

/** Options of {@link imodFormat}. */
export interface ImodFormatOptions extends VoxelSizeOption, ShapeOption {
  /** Run of the model: it holds points of one tomogram. */
  readonly run?: string | undefined;
  /** Object of points whose model object has no name. */
  readonly object?: string | undefined;
  /**
   * Where the centre of voxel i lies along x and y: at `half`, i + 0.5, as IMOD's own coordinates have it, or at `whole`, i, as
   * programs write and read that take points for indices (imodmodel, the data portal). Along z it is i either way.
   * @defaultValue `'half'`
   */
  readonly voxelCentre?: 'half' | 'whole' | undefined;
}

const name = 'IMOD model';

/**
 * Points of a binary IMOD model (`.mod`), in voxels of single precision.
 *
 * Objects of the model are objects; the instance id is the surface of a contour (0 is none), the score a general value of a
 * point. The voxel size is that of the model where no option gives it. Picks come back object by object. Meshes are passed
 * over.
 *
 * @example
 * ```ts
 * const runs = parsePicks(bytes, { format: imodFormat({ run: 'TS_5_4', voxelSize: 10 }) });
 * ```
 */
export function imodFormat(options: ImodFormatOptions = {}): PicksFormat<Uint8Array> {
  const voxelSize = checkVoxelSize(options.voxelSize);
  const shape = checkShape(options.shape);
  return {
    name,
    content: 'bytes',
    losses: [
      { part: 'orientation', what: 'points of IMOD have none' },
      { part: 'run', what: 'IMOD names no tomogram' },
      { part: 'precision', what: 'numbers keep about 7 digits' },
    ],
    parse(bytes, source) {
      const run = needName(options.run, { name: 'run', place: source });
      const picks = picksOf(readImodModel(bytes, source), source, { ...options, voxelSize });
      return picks.length === 0 ? [] : [{ run, picks }];
    },
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      onlyRun(picks, name);
      const size = needVoxelSize(voxelSize, { place: name });
      const model = modelOf(picks, { grid: gridOf(size, options), size });
      return writeImodModel(model, { extent: shape ? [shape[2], shape[1], shape[0]] : extentOf(model) });
    },
  };
}

function gridOf(voxelSize: Zyx, { voxelCentre = 'half' }: ImodFormatOptions): VoxelPlacement {
  const [z, y, x] = voxelSize;
  const centre = voxelCentre === 'half' ? 0.5 : 0;
  return { voxelSize: [z, y, x], origin: { x: 0 - centre * x, y: 0 - centre * y, z: 0 } };
}

type Reading = Omit<ImodFormatOptions, 'voxelSize'> & { readonly voxelSize: Zyx | undefined };

function picksOf({ objects, pixelSize }: ImodModel, source: string, options: Reading): Pick[] {
  return objects.flatMap((object, objectIndex) =>
    object.contours.flatMap((contour, contourIndex) => {
      const place = `${source}, object ${objectIndex + 1}, contour ${contourIndex + 1}`;
      const grid = gridOf(needVoxelSize(options.voxelSize, { found: pixelSize, place }), options);
      const named = object.name.trim() === '' ? options.object : object.name;
      return contour.points.map(([x, y, z], index) => {
        const score = contour.values.get(index) ?? 1;
        if (![x, y, z, score].every(Number.isFinite)) {
          throw new CryoetPicksError('invalid-picks', `${place}, point ${index + 1}: expected finite numbers`);
        }
        const found = {
          object: needName(named, { name: 'object', place }),
          position: toPhysical(grid, [z, y, x]),
          score,
        };
        return pickFrom({ ...found, instance: contour.surface }, place);
      });
    }),
  );
}

/** One object per object, and a contour per stretch of picks of one instance. */
function modelOf(
  picks: readonly CheckedPick[],
  { grid, size }: { readonly grid: VoxelPlacement; readonly size: Zyx },
): ImodModel {
  const objects = new Map<string, OpenContour[]>();
  for (const checked of picks) {
    const { pick, place } = checked;
    const contours = objects.get(pick.object) ?? [];
    objects.set(checkedName(pick.object, place), contours);
    const surface = numberedInstance(checked, name);
    if (surface !== (surface | 0)) {
      throw new CryoetPicksError('invalid-picks', `${place} has instance id ${surface}; IMOD holds 32 bits`);
    }
    if (contours.at(-1)?.surface !== surface) contours.push({ surface, points: [], values: new Map() });
    const { points, values } = contours.at(-1)!;
    if (pick.score !== 1) values.set(points.length, pick.score);
    const [z, y, x] = toVoxel(grid, pick.position);
    points.push([x, y, z]);
  }
  return { objects: [...objects].map(([object, contours]) => ({ name: object, contours })), pixelSize: size[2] };
}

interface OpenContour extends ImodContour {
  readonly points: [number, number, number][];
  readonly values: Map<number, number>;
}

function checkedName(object: string, place: string): string {
  if (new TextEncoder().encode(object).length < 64 && !object.includes('\0')) return object;
  throw new CryoetPicksError('invalid-picks', `${place} is of ${JSON.stringify(object)}; IMOD holds names of 63 bytes`);
}

function extentOf({ objects }: ImodModel): [number, number, number] {
  const extent: [number, number, number] = [1, 1, 1];
  for (const point of objects.flatMap(({ contours }) => contours.flatMap(({ points }) => points))) {
    for (const [axis, value] of point.entries()) extent[axis] = Math.max(extent[axis]!, Math.ceil(value) + 1);
  }
  return extent;
}
