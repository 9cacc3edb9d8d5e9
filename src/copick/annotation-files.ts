/** What `Run` does with files that say what is where: picks, meshes and filaments. */

export type { AuthoredFilter } from './authored.ts';
export { type FilamentsEntry, findFilaments, type WriteFilamentsOptions, writeFilamentsOf } from './filaments.ts';
export type { Filament } from './filaments-file.ts';
export { findMeshes, type MeshEntry, type WriteMeshOptions, writeMeshOf } from './meshes.ts';
export {
  findPickSets,
  type HasPicksOptions,
  hasPicksOf,
  type PickSet,
  type PicksFilter,
  readAllPicks,
} from './pick-sets.ts';
export { type WritePicksOptions, writePicksOf } from './write-picks.ts';
