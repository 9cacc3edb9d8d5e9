/**
 * Picks in the files of other programs: a function per format, for `parsePicks` and `formatPicks`.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../../errors.ts';
export { type CmmFormatOptions, cmmFormat } from './cmm.ts';
export { type CopickFormatOptions, copickFormat } from './copick.ts';
export { type CsvFormatOptions, csvFormat } from './csv.ts';
export { type DynamoFormatOptions, dynamoFormat } from './dynamo.ts';
export { type Eman2FormatOptions, eman2Format } from './eman2.ts';
export type { RunShapesOption, ShapeOption, VoxelSize, VoxelSizeOption } from './file-grid.ts';
export {
  formatPicks,
  type Loss,
  type ParsePicksOptions,
  type PickPart,
  type PicksFormat,
  parsePicks,
} from './format.ts';
export { type ImodFormatOptions, imodFormat } from './imod.ts';
export { describeLosses } from './losses.ts';
export {
  type AnyPicksFormat,
  type FormatOptions,
  formatNamed,
  formatOfFile,
  formatOfName,
} from './named.ts';
export { type FormatName, formatNames } from './names.ts';
export { type NapariFormatOptions, napariFormat } from './napari.ts';
export { type NdjsonFormatOptions, ndjsonFormat } from './ndjson.ts';
export type { NamesByNumber, ObjectNames, RunNames } from './numbered-names.ts';
export { type PointsFormatOptions, pointsFormat } from './points.ts';
export {
  type Relion5FormatOptions,
  type RelionFormatOptions,
  relion3Format,
  relion4Format,
  relion5Format,
} from './relion.ts';
export { type StopgapFormatOptions, stopgapFormat } from './stopgap.ts';
export { type SubmissionFormatOptions, submissionFormat } from './submission.ts';
export { type TomFormatOptions, tomFormat } from './tom.ts';
