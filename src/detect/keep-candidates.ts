import type { WriteCandidatesOptions } from '../copick/candidates-file.ts';
import { differences, type Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { formatUri } from '../copick/uri.ts';
import type { ModelSpec } from '../inference/model.ts';
import type { Candidates } from '../picks/candidates.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { type RecordedSearch, recordOfCandidates, type Settings } from './picks-record.ts';

/** Whose candidates they are, and how they were found. */
export interface KeepCandidatesOptions extends Omit<WriteCandidatesOptions, 'provenance'> {
  readonly search: RecordedSearch;
  readonly spec: ModelSpec;
  /** Type of the tomogram that was searched. */
  readonly type: string;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
}

/** Writes candidates with the record of how they were found, so that `pickProject` can pick from them. */
export async function keepCandidates(
  run: Run,
  candidates: Candidates,
  { search, spec, type, voxelSpacing, ...how }: KeepCandidatesOptions,
): Promise<void> {
  const { userId, sessionId, signal } = how;
  const [entry] = await run.tomograms({ type, voxelSpacing, signal });
  const tomogramUri = formatUri('tomogram', { type, voxelSpacing: entry?.voxelSpacing ?? voxelSpacing! });
  const provenance = await recordOfCandidates({ ...search, userId, sessionId, spec, tomogramUri });
  await run.writeCandidates(candidates, { ...how, provenance });
}

/**
 * What differs between the grid of candidates and that of a tomogram. Nothing if settings say that the tomogram was changed before
 * the search, which may have given it another grid.
 *
 * @param tomogram - As `recordOfTomogram` gives it.
 */
export function gridDifferences(grid: VoxelGrid, tomogram: Provenance, settings: Settings = {}): readonly string[] {
  // A value such as `false`, 0, or no text says that nothing was done.
  if (Object.values(settings).some(Boolean)) return [];
  const { shape, voxelSize, origin } = tomogram;
  return differences(grid, { shape, voxelSize, origin }, 'grid');
}
