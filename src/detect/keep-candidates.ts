import type { WriteCandidatesOptions } from '../copick/candidates-file.ts';
import { differences, type Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { formatUri } from '../copick/uri.ts';
import type { Candidates } from '../picks/candidates.ts';
import { type Axis, facesOf, type VoxelGrid } from '../space/grid.ts';
import { type RecordedSearch, recordOfCandidates, type Settings } from './picks-record.ts';

/** Whose candidates they are, and how they were found. */
export interface KeepCandidatesOptions extends Omit<WriteCandidatesOptions, 'provenance'> {
  readonly search: RecordedSearch;
  /** The card of what found them, as text. */
  readonly card: string;
  /** Type of the tomogram that was searched. */
  readonly type: string;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
}

/** Writes candidates with the record of how they were found, so that `pickProject` can pick from them. */
export async function keepCandidates(
  run: Run,
  candidates: Candidates,
  { search, card, type, voxelSpacing, ...how }: KeepCandidatesOptions,
): Promise<void> {
  const { userId, sessionId, signal } = how;
  const [entry] = await run.tomograms({ type, voxelSpacing, signal });
  const tomogramUri = formatUri('tomogram', { type, voxelSpacing: entry?.voxelSpacing ?? voxelSpacing! });
  const provenance = await recordOfCandidates({ ...search, userId, sessionId, card, tomogramUri });
  await run.writeCandidates(candidates, { ...how, provenance });
}

/** The settings that say that a tomogram had another grid when it was searched: it was resampled, or a coarser level was taken. */
const GRID_SETTINGS = ['resampled', 'level'] as const;

/**
 * What differs between the grid of candidates and that of a tomogram. If settings say that the tomogram had another grid when it was
 * searched, where its faces lie, to two voxels.
 *
 * @param tomogram - As `recordOfTomogram` gives it.
 */
export function gridDifferences(grid: VoxelGrid, tomogram: Provenance, settings: Settings = {}): readonly string[] {
  const { shape, voxelSize, origin } = tomogram as unknown as VoxelGrid;
  // A value such as `false`, 0, or no text says that nothing was done.
  const isOther = GRID_SETTINGS.some((name) => Object.hasOwn(settings, name) && Boolean(settings[name]));
  if (!isOther) return differences(grid, { shape, voxelSize, origin }, 'grid');
  const [found, now] = [grid, { shape, voxelSize, origin }].map(facesOf);
  const within = (axis: Axis) => 2 * Math.max(grid.voxelSize[axis], voxelSize[axis]);
  return (['z', 'y', 'x'] as const).flatMap((axis, i) =>
    (['lowest', 'highest'] as const).flatMap((face) => {
      const [was, is] = [found![face][axis], now![face][axis]];
      return Math.abs(was - is) <= within(i as Axis) ? [] : [`the ${face} ${axis} was ${was} Å, is ${is} Å`];
    }),
  );
}
