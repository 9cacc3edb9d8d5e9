/**
 * Picks in the files of other programs: a function per format, for `parsePicks` and `formatPicks`.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export { type CmmFormatOptions, cmmFormat } from '../formats/cmm.ts';
export { type CopickFormatOptions, copickFormat } from '../formats/copick.ts';
export { type CsvFormatOptions, csvFormat } from '../formats/csv.ts';
export { type DynamoFormatOptions, dynamoFormat } from '../formats/dynamo.ts';
export { type Eman2FormatOptions, eman2Format } from '../formats/eman2.ts';
export type { RunShapesOption, ShapeOption, VoxelSize, VoxelSizeOption } from '../formats/file-context.ts';
export {
  formatPicks,
  type Loss,
  type ParsePicksOptions,
  type PickPart,
  type PicksFormat,
  parsePicks,
} from '../formats/format.ts';
export { type ImodFormatOptions, imodFormat } from '../formats/imod.ts';
export { describeLosses } from '../formats/format.ts';
export {
  type AnyPicksFormat,
  type FormatOptions,
  picksFormat,
  detectPicksFormat,
  picksFormatOfPath,
} from '../formats/by-name.ts';
export { type PicksFormatName, picksFormatNames } from '../formats/by-name.ts';
export { type NapariFormatOptions, napariFormat } from '../formats/napari.ts';
export { type NdjsonFormatOptions, ndjsonFormat } from '../formats/ndjson.ts';
export type { NamesByNumber, ObjectNames, RunNames } from '../formats/file-context.ts';
export { type PointsFormatOptions, pointsFormat } from '../formats/points.ts';
export {
  type Relion5FormatOptions,
  type RelionFormatOptions,
  relion3Format,
  relion4Format,
  relion5Format,
} from '../formats/relion.ts';
export { type StopgapFormatOptions, stopgapFormat } from '../formats/stopgap.ts';
export { type SubmissionFormatOptions, submissionFormat } from '../formats/csv.ts';
export { type TomFormatOptions, tomFormat } from '../formats/tom.ts';
