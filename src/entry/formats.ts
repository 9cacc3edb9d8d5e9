/**
 * Picks in the file formats of other programs: `parsePicks` and `formatPicks` take a format, which one function per format
 * makes, or `picksFormat` by name.
 *
 * @module cryoet-picks/formats
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Reading and writing
export {
  type AnyPicksFormat,
  detectPicksFormat,
  type FormatOptions,
  type FormatRequirements,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
  picksFormatNames,
  picksFormatOfPath,
} from '../formats/by-name.ts';
export type {
  NamesByNumber,
  ObjectNames,
  RunNames,
  RunShapesOption,
  RunVoxelSizesOption,
  ShapeOption,
  VoxelSize,
  VoxelSizeOption,
} from '../formats/file-context.ts';
export { requireOneVoxelSize } from '../formats/file-context.ts';
export {
  type DecodePicksOptions,
  decodePicks,
  describeLosses,
  type EncodePicksOptions,
  encodePicks,
  formatPicks,
  type Loss,
  type ParsePicksOptions,
  type ParseReports,
  type PickPart,
  type PicksFormat,
  type PicksFormatInPieces,
  type PointsColumn,
  parsePicks,
  type TableColumn,
} from '../formats/format.ts';
export { type EncodeRunsOptions, encodeRuns } from '../formats/run-by-run.ts';

// The formats
export { type CmmFormatOptions, cmmFormat } from '../formats/cmm.ts';
export { type CopickFormatOptions, copickFormat } from '../formats/copick.ts';
export { type CsvFormatOptions, csvFormat, type SubmissionFormatOptions, submissionFormat } from '../formats/csv.ts';
export { type DynamoFormatOptions, dynamoFormat } from '../formats/dynamo.ts';
export { type Eman2FormatOptions, eman2Format } from '../formats/eman2.ts';
export { type ImodFormatOptions, imodFormat } from '../formats/imod.ts';
export { type NapariFormatOptions, napariFormat } from '../formats/napari.ts';
export { type NdjsonFormatOptions, ndjsonFormat } from '../formats/ndjson.ts';
export { type PointsFormatOptions, pointsFormat } from '../formats/points.ts';
export {
  type Relion5FormatOptions,
  type RelionFormatOptions,
  relion3Format,
  relion4Format,
  relion5Format,
} from '../formats/relion.ts';
export { type StopgapFormatOptions, stopgapFormat } from '../formats/stopgap.ts';
export { type TomFormatOptions, tomFormat } from '../formats/tom.ts';
