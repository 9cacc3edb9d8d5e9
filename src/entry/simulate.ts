/**
 * Simulated tomograms whose particles are known: single volumes, and whole copick projects with their ground truth.
 *
 * @module cryoet-picks/simulate
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Projects and tomograms
export {
  type RunPositions,
  type SimulatedProject,
  type SimulateProjectOptions,
  type SimulateProjectProgress,
  simulateProject,
} from '../simulate/project.ts';
export {
  type Difficulty,
  difficulties,
  type SimulatedTomogram,
  type SimulateTomogramOptions,
  type SimulateTomogramProgress,
  simulateTomogram,
} from '../simulate/tomogram.ts';

// What is in the ice
export { type DrawOptions, drawMolecule, type PlacedMolecule } from '../simulate/density.ts';
export { type KnownPosition, type Scene, type SceneOptions, simulateScene } from '../simulate/scene.ts';
export {
  cziiShape,
  cziiVoxelSize,
  type Species,
  simulatedObjects,
  species,
  speciesNamed,
} from '../simulate/species.ts';
export type { CarbonEdge, Surroundings } from '../simulate/surroundings.ts';

// How it is imaged
export {
  type Imaging,
  type ImagingOptions,
  type RandomImaging,
  type ReconstructionFilter,
  randomImaging,
  reconstructionFilters,
} from '../simulate/imaging-options.ts';
export { createRandom, type Random, type Rotation } from '../simulate/random.ts';
