import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { volumeFormatOf } from '../copick/contents.ts';
import { orConsolidated } from '../copick/images.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { formatUri, type UriParts } from '../copick/uri.ts';
import { givenFields } from '../core/arguments.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import type { Settings } from '../detect/picks-record.ts';
import type { RunMask } from '../detect/project-runs.ts';
import { isUnknownVoxelSize, unknownVoxelSize } from '../detect/voxel-size.ts';
import { openMrcFile, openStore, openTiffStackFile } from '../entry/node.ts';
import { isVolume } from '../node/open-project.ts';
import { openTomogram } from '../ome-zarr/tomogram.ts';
import type { Mask } from '../picks/candidates.ts';
import { faceMask, labelMask } from '../picks/mask.ts';
import { type Box, boxShape, facesOf, formatZyx, sizesAgree, type VoxelGrid, voxelCount } from '../space/grid.ts';
import { readInto, type VolumeSource } from '../volume/volume.ts';
import type { DetectInput } from './command.ts';
import { isFolder } from './files.ts';
import { UsageError } from './terminal.ts';

/** Options of {@link openVolume}. */
export interface OpenVolumeOptions {
  /** In Å, of a volume that does not know it. */
  readonly voxelSize?: number | undefined;
  /** Of an OME-Zarr image; other files have no levels. */
  readonly level?: number | undefined;
  readonly signal: AbortSignal;
}

/** Opens a volume: a folder as OME-Zarr, a file by the ending of its name. */
export async function openVolume(path: string, { voxelSize, level, signal }: OpenVolumeOptions): Promise<VolumeSource> {
  const format = volumeFormatOf(basename(path));
  if (format === 'tiff') return openTiffStackFile(path, { voxelSize, signal });
  if (format === 'zip' || (await isFolder(path))) {
    const options = { trueVoxelSize: voxelSize, level, signal };
    return orConsolidated(await openStore(path), options, (store) => openTomogram(store, options));
  }
  return openMrcFile(path, { voxelSize, signal });
}

/** The options that say where picks may lie. */
export type MaskInput = Pick<DetectInput, 'inside' | 'outside' | 'faceMargin' | 'maskMargin'>;

/** A mask of runs, or of a volume that is no run. */
export interface InputMask extends RunMask {
  readonly of: (run: Run | undefined, grid: VoxelGrid) => Promise<Mask[]>;
  readonly settingsOf?: (run: Run) => Promise<Settings>;
}

/** Options of {@link maskOfInput}. */
export interface MaskOptions {
  /** Where URIs are looked up; without it, `--inside` and `--outside` are paths. */
  readonly project?: Project | undefined;
  /** Is told what may surprise, once for all runs. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * The mask that options ask for; undefined if they ask for none. What it is recorded as holds a URI as it was given, of a file its
 * name, and the SHA-256 of the labels: two files may have one name, and a segmentation may be drawn again.
 *
 * @throws {@link UsageError} for a margin without a mask, for anything but a path without a project, and for a mask without voxel
 *   size; from `of`, for one whose voxel size is not that of the tomogram, unless it covers the same box.
 */
export async function maskOfInput(
  { inside, outside, faceMargin, maskMargin }: MaskInput,
  { project, onWarning = () => {}, signal }: MaskOptions,
): Promise<InputMask | undefined> {
  const given = Object.entries({ inside, outside }).filter(([, name]) => name !== undefined) as [string, string][];
  if (maskMargin !== undefined && given.length === 0) {
    throw new UsageError('--mask-margin is a distance from the border of --inside or --outside; give one of them');
  }
  if (given.length === 0 && faceMargin === undefined) return undefined;
  const told = new Set<string>();
  const warn = (message: string) => {
    if (told.has(message)) return;
    told.add(message);
    onWarning(message);
  };
  const sides = await Promise.all(
    given.map(async ([option, name]) => {
      const what = `--${option} ${name}`;
      const make = async (labels: VolumeSource) => {
        requireKnownVoxelSize(labels, what);
        try {
          return await labelMask(labels, { exclude: option === 'outside', margin: maskMargin, signal });
        } catch (error) {
          if (!isCryoetPicksError(error, 'invalid-option')) throw error;
          throw new UsageError(`${what}: ${error.message}`);
        }
      };
      if (await isVolume(name)) {
        // One file for all runs: it is read once.
        const labels = await openVolume(name, { signal });
        const mask = await make(labels);
        const sha256 = project && (await sha256OfLabels(labels, signal));
        const of = async (_: Run | undefined, grid: VoxelGrid) => {
          checkCover(labels.grid, grid, { what, warn });
          return mask;
        };
        return { of, settings: { [option]: basename(name), [`${option}Sha256`]: sha256 }, settingsOf: undefined };
      }
      if (await stat(name).catch(() => undefined)) {
        throw new UsageError(`--${option} ${name} is not a volume: MRC, TIFF or OME-Zarr`);
      }
      if (project === undefined || isPath(name)) throw new UsageError(`--${option} ${name}: there is no such file`);
      const of = async (run: Run, grid: VoxelGrid) => {
        const labels = await labelsOf(name, { run, project, signal });
        checkCover(labels.grid, grid, { what, warn });
        return make(labels);
      };
      const settingsOf = async (run: Run) => {
        const labels = await labelsOf(name, { run, project, signal });
        return { [`${option}Sha256`]: await sha256OfLabels(labels, signal) };
      };
      return {
        of: of as (run: Run | undefined, grid: VoxelGrid) => Promise<Mask>,
        settings: { [option]: name },
        settingsOf,
      };
    }),
  );
  const of = async (run: Run | undefined, grid: VoxelGrid): Promise<Mask[]> => [
    ...(faceMargin === undefined ? [] : [faceMask(grid, faceMargin)]),
    ...(await Promise.all(sides.map((side) => side.of(run, grid)))),
  ];
  const settings: Settings = Object.assign({}, ...sides.map((side) => side.settings), { faceMargin, maskMargin });
  const drawn = sides.flatMap(({ settingsOf }) => settingsOf ?? []);
  const settingsOf = async (run: Run): Promise<Settings> =>
    Object.assign({}, ...(await Promise.all(drawn.map((one) => one(run)))));
  return { of, settings: givenFields(settings) as Settings, ...(drawn.length > 0 && { settingsOf }) };
}

function requireKnownVoxelSize({ grid, warnings }: VolumeSource, what: string): void {
  if (!isUnknownVoxelSize(grid)) return;
  const remedy = 'write the true one, in Å, into its header';
  throw new UsageError(`${what}: the voxel size of the mask is unknown: ${unknownVoxelSize(warnings?.())}; ${remedy}`);
}

/** Throws for a mask that would lie elsewhere than it was drawn; warns of one that leaves out a part of the tomogram. */
function checkCover(
  mask: VoxelGrid,
  tomogram: VoxelGrid,
  { what, warn }: { readonly what: string; readonly warn: (message: string) => void },
): void {
  const [own, whole] = [facesOf(mask), facesOf(tomogram)];
  const sides = (['z', 'y', 'x'] as const).map((axis, i) => {
    // A mask of larger voxels may end within one of them; two sources of a voxel size are 1 % apart at most.
    const slack = Math.max(
      mask.voxelSize[i]!,
      tomogram.voxelSize[i]!,
      0.01 * (whole.highest[axis] - whole.lowest[axis]),
    );
    return {
      isReached: own.lowest[axis] <= whole.lowest[axis] + slack && own.highest[axis] >= whole.highest[axis] - slack,
      isPassed: own.lowest[axis] < whole.lowest[axis] - slack || own.highest[axis] > whole.highest[axis] + slack,
    };
  });
  const isWhole = sides.every(({ isReached }) => isReached);
  const grids = `the mask has ${describe(mask)}, the tomogram ${describe(tomogram)}`;
  const isSameBox = isWhole && !sides.some(({ isPassed }) => isPassed);
  if (!sizesAgree(mask.voxelSize, tomogram.voxelSize) && !isSameBox) {
    throw new UsageError(
      `${what}: ${grids}, so it covers another box; give one of the same voxel size, or of the same box`,
    );
  }
  if (!isWhole)
    warn(`${what} covers only a part of the tomogram: ${grids}; what lies beyond counts as without a label`);
}

function describe({ shape, voxelSize, origin: { x, y, z } }: VoxelGrid): string {
  const from = x === 0 && y === 0 && z === 0 ? '' : `, from x ${x}, y ${y}, z ${z} Å`;
  return `${formatZyx(shape)} voxels of ${formatZyx(voxelSize)} Å${from}`;
}

/** True for what is written as a path, or named like a volume, and so is meant for no URI. */
function isPath(name: string): boolean {
  if (/^(?:[./\\~]|[a-z]:[/\\])/i.test(name)) return true;
  return !name.includes(':') && (/[/\\]/.test(name) || volumeFormatOf(name) !== undefined);
}

interface RunLabels {
  readonly run: Run;
  readonly project: Project;
  readonly signal: AbortSignal;
}

/** The labels that a URI names in a run. */
async function labelsOf(uri: string, { run, project, signal }: RunLabels): Promise<VolumeSource> {
  const found = await project.find('segmentation', uri, { runs: run.name, signal });
  const [segmentation] = found;
  if (found.length === 1 && segmentation !== undefined) {
    return segmentation.open({ signal, ...(segmentation.kind === 'panoptic' && { channel: 'label' as const }) });
  }
  if (found.length > 0) {
    const many = `run "${run.name}" has ${found.length} segmentations of the URI "${uri}"`;
    throw new UsageError(`${many}; expected one of ${namesOf(found)}`);
  }
  const there = await run.segmentations({ signal });
  const has = there.length === 0 ? 'it has none at all' : `it has ${namesOf(there)}`;
  throw new UsageError(
    `run "${run.name}" has no segmentation of the URI "${uri}"; ${has}. A path, such as --inside lamella.mrc, gives one mask for all runs`,
  );
}

/** URIs that find each of some segmentations alone. */
function namesOf(segmentations: readonly UriParts['segmentation'][]): string {
  return listNames(segmentations.map((one) => formatUri('segmentation', one)));
}

/** Planes that are hashed at once. */
const SLAB = 16;

/** The SHA-256 of a grid and its voxels as float32: equal labels have one, in whatever format they lie. */
async function sha256OfLabels(labels: VolumeSource, signal: AbortSignal): Promise<string> {
  const { shape, voxelSize, origin } = labels.grid;
  const hash = createHash('sha256').update(JSON.stringify([shape, voxelSize, origin]));
  for (let z = 0; z < shape[0]; z += SLAB) {
    signal.throwIfAborted();
    const box: Box = { start: [z, 0, 0], end: [Math.min(shape[0], z + SLAB), shape[1], shape[2]] };
    const voxels = new Float32Array(voxelCount(boxShape(box)));
    await readInto(labels, box, voxels, { signal });
    hash.update(voxels);
  }
  return hash.digest('hex');
}
