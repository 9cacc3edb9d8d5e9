export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export type { CarbonEdge } from '../simulate/surroundings.ts';
export { cziiShape, cziiVoxelSize } from '../simulate/species.ts';
export { type Difficulty, difficulties } from '../simulate/tomogram.ts';
export type { Imaging, ImagingOptions, ReconstructionFilter } from '../simulate/imaging-options.ts';
export { reconstructionFilters } from '../simulate/imaging-options.ts';
export { simulatedObjects } from '../simulate/species.ts';
export type {
  SimulateProjectProgress,
  RunPositions,
  SimulatedProject,
  SimulateProjectOptions,
} from '../simulate/project.ts';
export { simulateProject } from '../simulate/project.ts';
export type { Random, Rotation } from '../simulate/random.ts';
export { createRandom } from '../simulate/random.ts';
export type { RandomImaging } from '../simulate/imaging-options.ts';
export { randomImaging } from '../simulate/imaging-options.ts';
export type { DrawOptions, PlacedMolecule } from '../simulate/density.ts';
export { drawMolecule } from '../simulate/density.ts';
export type { KnownPosition, Scene, SceneOptions } from '../simulate/scene.ts';
export { simulateScene } from '../simulate/scene.ts';
export type { Species } from '../simulate/species.ts';
export { species, speciesNamed } from '../simulate/species.ts';
export type { Surroundings } from '../simulate/surroundings.ts';
export type { SimulatedTomogram, SimulateTomogramOptions, SimulationProgress } from '../simulate/tomogram.ts';
export { simulateTomogram } from '../simulate/tomogram.ts';
