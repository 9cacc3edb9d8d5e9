/**
 * Finds protein particles in cryo-electron tomograms. The ten-line program:
 *
 * ```ts
 * import * as ort from 'onnxruntime-node';
 * import { chooseObjects, detectParticles } from 'cryoet-picks';
 * import { loadModel, openProject } from 'cryoet-picks/node';
 *
 * const project = await openProject('copick.json');
 * const run = await project.run('TS_5_4');
 * const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
 * const model = await loadModel(ort);
 * const picks = await detectParticles(tomogram, { model, objects: project.objects });
 * const { classes } = chooseObjects(model.spec, project.objects); // a file for each, even without picks
 * await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0', objects: classes });
 * ```
 *
 * @module cryoet-picks
 */

// Errors and progress
export type { Progress, Warning } from '../core/concurrency.ts';
export type { PerObject } from '../core/arguments.ts';
export { CryoetPicksError, type ErrorCode, type ErrorDetails, isCryoetPicksError } from '../core/errors.ts';

// Space
export {
  type Faces,
  facesOf,
  type Point,
  toPhysical,
  toVoxel,
  type Transform,
  type VoxelGrid,
  type VoxelPlacement,
} from '../space/grid.ts';
export type { Axis, Box, Zyx } from '../space/grid.ts';

// Voxels
export { type Intensity, type IntensityOptions, measureIntensity, quantile } from '../volume/intensity.ts';
export {
  clipToQuantiles,
  minMax,
  type Normalize,
  normalizerFor,
  type QuantileOptions,
  zScore,
} from '../volume/normalize.ts';
export { resampled } from '../volume/resample.ts';
export {
  contiguousVolume,
  type NumericData,
  type ReadOptions,
  sourceFromArray,
  toFloat32,
  type Volume,
  type VolumeLike,
  type VolumeSource,
} from '../volume/volume.ts';

// Stores and tomograms
export { type HttpStoreOptions, httpStore } from '../storage/http.ts';
export type { CommitOptions, StagedFolder } from '../storage/store.ts';
export {
  type ByteRange,
  type GetOptions,
  type ListableStore,
  memoryStore,
  type ReadableStore,
  type Store,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  subStore,
  type WriteOptions,
} from '../storage/store.ts';
export type { NumberType } from '../codecs/number-type.ts';
export type { ChunkCounts } from '../ome-zarr/chunk-record.ts';
export { type OpenTomogramOptions, openTomogram, type Tomogram, type TomogramLevel } from '../ome-zarr/tomogram.ts';
export { writeTomogram } from '../ome-zarr/write/image.ts';
export type { WritableDtype, WriteProgress, WriteTomogramOptions } from '../ome-zarr/write/plan.ts';

// Tiles
export type { AxisSegment } from '../tiles/axis.ts';
export type { ScoreSlab, ScoreVolume } from '../tiles/blend.ts';
export type { CalibrationCurve, CalibrationCurves } from '../tiles/calibration-curve.ts';
export {
  type PlanMemory,
  type PlanOptions,
  planTiles,
  type Tile,
  type TilePlan,
  type TileSpec,
} from '../tiles/plan.ts';
export type { WindowName } from '../tiles/window.ts';

// Models
export { type FunctionModelOptions, functionModel, type ScoreTile } from '../inference/function-model.ts';
export type { Calibration } from '../inference/calibration.ts';
export type { FeatureModel } from '../inference/feature-model.ts';
export type {
  Activation,
  DisposableModel,
  Model,
  ModelSpec,
  ScoreBatch,
  ScoreCallOptions,
  TaughtOn,
  TileBatch,
} from '../inference/model.ts';
export type { CardThresholds, ThresholdSet, Thresholds } from '../inference/thresholds.ts';
export { formatModelSpec, type ParseModelSpecOptions, parseModelSpec } from '../inference/model-card.ts';
export type { ExternalData } from '../inference/external-data.ts';
export { type Device, type OnnxOptions, onnxModel, type OrtModule } from '../inference/onnx.ts';
export { type ScoreOptions, scoreSlabs } from '../inference/score.ts';
export { averageOf, withFlips } from '../inference/wrappers.ts';

// Peaks
export {
  type Component,
  type ConnectedComponentsOptions,
  type Connectivity,
  connectedComponents,
} from '../peaks/connected-components.ts';
export { type LocalMaximaOptions, localMaxima } from '../peaks/local-maxima.ts';
export { quadraticFit, type Refine } from '../peaks/refine.ts';
export { type SmoothedOptions, smoothed } from '../peaks/smooth.ts';
export { type SplitTouchingOptions, splitTouching } from '../peaks/split-touching.ts';
export type { Peak } from '../peaks/planes.ts';

// Picks
export {
  type Candidates,
  type CollectCandidatesOptions,
  collectCandidates,
  joinCandidates,
  type Mask,
  type PickingOptions,
  type PicksFromCandidatesOptions,
  picksFromCandidates,
} from '../picks/candidates.ts';
export {
  type ChooseThresholdsOptions,
  chooseThresholds,
  type EstimateFalsePicksOptions,
  estimateFalsePicks,
  type FalsePicks,
} from '../picks/false-picks.ts';
export { type Clusters, type DbscanOptions, dbscan } from '../picks/dbscan.ts';
export { type MeanShiftOptions, meanShift } from '../picks/mean-shift.ts';
export {
  type BoxMaskOptions,
  boxMask,
  faceMask,
  type LabelMaskOptions,
  labelMask,
  type Ranges,
} from '../picks/mask.ts';
export { type MergeNearbyOptions, mergeNearby } from '../picks/merge.ts';
export { type ParticlePick, type RunPicks, toPick } from '../picks/pick.ts';
export {
  type PaintSegmentationOptions,
  type PicksFromSegmentationOptions,
  paintSegmentation,
  picksFromSegmentation,
} from '../picks/segmentation.ts';
export {
  type SuppressAcrossObjectsOptions,
  type SuppressNearbyOptions,
  suppressAcrossObjects,
  suppressNearby,
} from '../picks/suppress.ts';

// Files of picks; `cryoet-picks/formats` has the formats of other programs
export {
  formatPicks,
  type Loss,
  type ParsePicksOptions,
  type PickPart,
  type PicksFormat,
  type PicksFormatInPieces,
  parsePicks,
} from '../formats/format.ts';
export {
  type FormatSubmissionOptions,
  formatSubmission,
  type ParseSubmissionOptions,
  parseSubmission,
  parseSubmissionRows,
  type SubmissionRow,
} from '../picks/submission.ts';

// The metric
export { type Candidate, type MatchedPair, type MatchOptions, type MatchResult, matchPicks } from '../metric/match.ts';
export {
  type ColoredObject,
  type CziiObject,
  type CziiRules,
  cziiRules,
  type Matching,
  type ObjectOfProject,
  type ProjectRulesOptions,
  projectRules,
  type RadiusOfObject,
  type Rgb,
  type ScoredObject,
  type ScoringRules,
  type ScoringRulesOptions,
  scoringRules,
} from '../metric/rules.ts';
export {
  type Counts,
  type ObjectScore,
  type Quality,
  type Report,
  type RunningReport,
  type RunningScore,
  runningScore,
  type ScoredRun,
  scorePicks,
  scoreTables,
  type TableReport,
  type TableRow,
} from '../metric/score.ts';
export { type ObjectSweep, type Sweep, type SweepCurve, type SweepPoint, sweepThresholds } from '../metric/sweep.ts';

// Particles by a few picks of them
export { addHead } from '../teach/add-head.ts';
export type { FeatureBlock, TomogramFeatures } from '../teach/feature-map.ts';
export type { Head } from '../teach/head.ts';
export { sha256Hex } from '../core/sha256.ts';
export type { Learned, LearningPoint } from '../teach/learn.ts';
export { type Taught, type TeachOptions, teach } from '../teach/teach.ts';

// Particles by their shape
export { type AverageParticlesOptions, averageParticles, type ParticleAverage } from '../match/average.ts';
export type { SphericalMask } from '../match/mask.ts';
export { type MatchTemplateOptions, matchTemplate } from '../match/match-template.ts';
export type { SymmetryGroup } from '../match/rotations.ts';
export type { MatchThreads } from '../match/threads.ts';
export { type MakeTemplateOptions, makeTemplate, type Template, type TemplateShape } from '../match/template.ts';
export type { ContrastTransfer, MissingWedge } from '../match/transfer.ts';

// Copick: what the functions here take and give; `cryoet-picks/copick` has the rest
export type { PickableObject } from '../copick/object.ts';
export type { Project } from '../copick/project.ts';
export type { Run } from '../copick/run.ts';

// All of it at once
export { type CheckOptions, checkTomogram, type Finding } from '../detect/check-tomogram.ts';
export {
  type ChooseObjectsOptions,
  type ChosenObjects,
  chooseObjects,
  type DetectableObject,
} from '../detect/choose-objects.ts';
export { type MatchProjectOptions, matchProject } from '../detect/match-project.ts';
export { type MatchCandidatesOptions, type MatchedCandidates, matchCandidates } from '../detect/match-candidates.ts';
export {
  type CandidateLimits,
  type DetectCandidatesOptions,
  detectCandidates,
  type SearchOptions,
} from '../detect/candidates.ts';
export { type ComputeFeaturesOptions, computeFeatures } from '../detect/features.ts';
export { type DetectOptions, detectParticles } from '../detect/particles.ts';
export type { ChosenThreshold } from '../detect/max-false.ts';
export { type RequireVoxelSizeOptions, requireVoxelSize } from '../detect/voxel-size.ts';
export type {
  DetectedRun,
  FailedRun,
  ProjectRunsOptions,
  RunMask,
  RunResult,
  RunStart,
} from '../detect/project-runs.ts';
export { type ReadFailuresOptions, type RunFailure, readFailures } from '../detect/failures.ts';
export type { Claim, Claims, NextClaimOptions } from '../detect/claims.ts';
export { type DetectRunOptions, detectRun } from '../detect/detect-run.ts';
export { type DetectProjectOptions, detectProject, type ProjectProgress } from '../detect/project.ts';
export { type PickProjectOptions, pickProject } from '../detect/pick-project.ts';
export {
  type GatheredProject,
  type GatheredRun,
  type GatherProjectOptions,
  gatherProject,
  type UngatheredRun,
} from '../detect/gather-project.ts';
export { type WriteDetectionOptions, writeDetection } from '../detect/write-detection.ts';
export { type Shard, shardOf } from '../detect/shards.ts';
