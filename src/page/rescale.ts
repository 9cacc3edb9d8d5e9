import type { ParticlePick, Point, VolumeSource, VoxelGrid } from '../entry/index.ts';
import type { KeptDetection } from './detections.ts';
import type { Draft } from './drafts.ts';
import { candidatePicks } from './review.ts';
import type { Edit } from './state.ts';

// Where a person gives the voxel size of a file, picks stay in the voxels in which they were seen when the size is corrected.

/** The levels of a volume whose voxel size a person may give, finest first; absent for others, whose picks stay where they are in Å. */
export type Levels = readonly Pick<VolumeSource, 'grid'>[] | undefined;

/** The edge of its finest voxels along x in Å. */
export function sizeOf(levels: Levels): number | undefined {
  return levels?.[0]?.grid.voxelSize[2];
}

/** A draft with its picks in the same voxels of a volume. */
export function scaledDraft(draft: Draft, levels: Levels): Draft {
  const { voxelSize } = draft;
  const now = sizeOf(levels);
  if (voxelSize === undefined || now === undefined || voxelSize === now) return draft;
  return { ...scaledBy(draft, now / voxelSize, (id) => id), voxelSize: now };
}

/** A detection with its candidates, and what was done to them, in the same voxels of a volume. Distances stay as they are. */
export function scaledDetection(detection: KeptDetection, levels: Levels): KeptDetection {
  const { candidates, level, draft } = detection;
  const grid = levels?.[level]?.grid;
  if (grid === undefined || isSameSize(grid, candidates.grid)) return detection;
  const factor = grid.voxelSize[2] / candidates.grid.voxelSize[2];
  const scaled = { ...candidates, grid, positions: candidates.positions.map((length) => length * factor) };
  const moved = (picks: readonly ParticlePick[]) =>
    picks.map((pick) => ({ ...pick, position: scaledPoint(pick.position, factor) }));
  const told = detection.told && {
    ...detection.told,
    kept: moved(detection.told.kept),
    rejected: moved(detection.told.rejected),
  };
  if (draft === undefined) return { ...detection, candidates: scaled, told };
  // Picks have their names from where they are.
  const after = candidatePicks(scaled);
  const ids = new Map(candidatePicks(candidates).map(({ id }, i) => [id, (after[i] as { readonly id: string }).id]));
  return { ...detection, candidates: scaled, told, draft: scaledBy(draft, factor, (id) => ids.get(id) ?? id) };
}

function isSameSize(a: VoxelGrid, b: VoxelGrid): boolean {
  return a.voxelSize[2] === b.voxelSize[2];
}

function scaledPoint({ x, y, z }: Point, factor: number): Point {
  return { x: x * factor, y: y * factor, z: z * factor };
}

function scaledBy(draft: Draft, factor: number, idOf: (id: string) => string): Draft {
  const moved = (edit: Edit | undefined) =>
    edit && { ...edit, position: edit.position && scaledPoint(edit.position, factor) };
  return { ...draft, changes: new Map([...draft.changes].map(([id, edit]) => [idOf(id), moved(edit)])) };
}
