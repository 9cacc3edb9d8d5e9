import { basename } from 'node:path';
import { orConsolidated } from '../copick/images.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import type { RunMask } from '../detect/project.ts';
import { openMrcFile, openStore, openTiffStackFile } from '../entry/node.ts';
import { isVolume } from '../node/open-project.ts';
import { openTomogram } from '../ome-zarr/tomogram.ts';
import type { Mask } from '../picks/candidates.ts';
import { faceMask, labelMask } from '../picks/mask.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { VolumeSource } from '../volume/volume.ts';
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
  if (/\.tiff?$/i.test(path)) return openTiffStackFile(path, { voxelSize, signal });
  if (/\.(?:ozx|zip)$/i.test(path) || (await isFolder(path))) {
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
}

/** Options of {@link maskOfInput}. */
export interface MaskOptions {
  /** Where URIs are looked up; without it, `--inside` and `--outside` are paths. */
  readonly project?: Project | undefined;
  readonly signal: AbortSignal;
}

/**
 * The mask that options ask for; undefined if they ask for none.
 *
 * @throws {@link UsageError} for a margin without a mask, and for anything but a path without a project.
 */
export async function maskOfInput(
  { inside, outside, faceMargin, maskMargin }: MaskInput,
  { project, signal }: MaskOptions,
): Promise<InputMask | undefined> {
  const given = Object.entries({ inside, outside }).filter(([, name]) => name !== undefined) as [string, string][];
  if (maskMargin !== undefined && given.length === 0) {
    throw new UsageError('--mask-margin is a distance from the border of --inside or --outside; give one of them');
  }
  if (given.length === 0 && faceMargin === undefined) return undefined;
  const makers = await Promise.all(
    given.map(async ([option, name]) => {
      const options = { exclude: option === 'outside', margin: maskMargin, signal };
      const make = async (run: Run | undefined) => {
        try {
          return await labelMask(await labelsOf(name, { run, project, signal }), options);
        } catch (error) {
          if (!isCryoetPicksError(error, 'invalid-option')) throw error;
          throw new UsageError(`--${option} ${name}: ${error.message}`);
        }
      };
      if (await isVolume(name)) {
        // One file for all runs: it is read once.
        const mask = await make(undefined);
        return async () => mask;
      }
      if (project === undefined) throw new UsageError(`--${option} ${name} is not a volume: MRC, TIFF or OME-Zarr`);
      return make;
    }),
  );
  const shown = (name: string | undefined) =>
    name && (/[/\\]/.test(name) && !name.includes(':') ? basename(name) : name);
  const settings = Object.fromEntries(
    Object.entries({ inside: shown(inside), outside: shown(outside), faceMargin, maskMargin }).flatMap(
      ([name, value]) => (value === undefined ? [] : [[name, value]]),
    ),
  );
  const of = async (run: Run | undefined, grid: VoxelGrid): Promise<Mask[]> => [
    ...(faceMargin === undefined ? [] : [faceMask(grid, faceMargin)]),
    ...(await Promise.all(makers.map((make) => make(run)))),
  ];
  return { of, settings };
}

/** The labels that a path names, or a URI in a run. */
async function labelsOf(
  name: string,
  { run, project, signal }: MaskOptions & { readonly run: Run | undefined },
): Promise<VolumeSource> {
  if (run === undefined || project === undefined) return openVolume(name, { signal });
  const found = await project.find('segmentation', name, { runs: run.name, signal });
  const [segmentation] = found;
  if (found.length === 1 && segmentation !== undefined) {
    return segmentation.open({ signal, ...(segmentation.kind === 'panoptic' && { channel: 'label' as const }) });
  }
  const many = found.length === 0 ? 'no segmentation' : `${found.length} segmentations`;
  throw new UsageError(`run "${run.name}" has ${many} of the URI "${name}"; expected one, such as lamella:me/1@10`);
}
