import * as v from 'valibot';
import { isFields, optional, quotedNames, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { formatZyx } from '../space/grid.ts';
import { type CalibrationCurve, isRising } from '../tiles/calibration-curve.ts';
import type { Calibration } from './calibration.ts';
import { type ModelSpec, requireSpec, wrongOffsets } from './model.ts';
import { type CardThresholds, hasTwoSets } from './thresholds.ts';

const edge = v.pipe(
  v.number(),
  v.integer('expected a whole number of voxels'),
  v.minValue(1, 'expected at least 1 voxel'),
);
const shared = v.pipe(
  v.number(),
  v.integer('expected a whole number of voxels'),
  v.minValue(0, 'expected at least 0 voxels'),
);
const finite = v.pipe(v.number(), v.finite('expected a finite number'));
const length = v.pipe(finite, v.minValue(0, 'expected a length in Å, at least 0'));

const share = v.pipe(v.number(), v.gtValue(0, 'expected a score above 0'), v.ltValue(1, 'expected a score below 1'));

/** The schema of a calibration, in cards and in files of candidates. */
export const calibrationSchema: v.GenericSchema<unknown, Calibration> = /* @__PURE__ */ v.object({
  floor: share,
  minDistance: length,
  sure: share,
  doubtful: share,
  weights: v.object({
    constant: finite,
    score: finite,
    sureScore: finite,
    sureDensity: finite,
    doubtfulDensity: finite,
  }),
  concentration: v.pipe(finite, v.gtValue(0, 'expected a number above 0')),
});

const curveSchema: v.GenericSchema<unknown, CalibrationCurve> = /* @__PURE__ */ v.pipe(
  v.array(v.tuple([share, share])),
  v.minLength(1, 'expected at least one point [score, share]'),
  v.check((points) => isRising(points), 'expected points [score, share] that rise in both'),
);

const numbers = v.record(v.string(), finite);

/** One set, or two by their names: which of them it is meant to be shows in its values. */
const thresholdsSchema: v.GenericSchema<unknown, CardThresholds> = v.lazy((thresholds) =>
  isFields(thresholds) && hasTwoSets(thresholds as CardThresholds)
    ? v.object({ balanced: numbers, competition: numbers })
    : numbers,
);

const cardSchema = v.object({
  name: v.pipe(v.string(), v.nonEmpty('expected a name')),
  tile: v.tuple([edge, edge, edge]),
  tileMultiple: v.optional(edge),
  overlap: v.optional(v.tuple([shared, shared, shared])),
  bytesPerVoxel: v.optional(v.pipe(finite, v.gtValue(0, 'expected a number of bytes above 0'))),
  outputStride: v.picklist([1, 2, 4]),
  voxelSize: v.pipe(finite, v.gtValue(0, 'expected a voxel size in Å above 0')),
  classes: v.pipe(v.array(v.nullable(v.string())), v.minLength(1, 'expected at least one class')),
  offsets: v.optional(v.tuple([v.number(), v.number(), v.number()])),
  activation: v.picklist(['softmax', 'sigmoid', 'none']),
  normalization: v.picklist(['z-score', 'quantiles', 'min-max', 'none']),
  contrast: v.optional(v.picklist(['dark', 'bright'])),
  calibrationCurves: v.optional(v.record(v.string(), curveSchema)),
  thresholds: thresholdsSchema,
  minDistances: v.record(v.string(), length),
  calibration: v.optional(v.record(v.string(), calibrationSchema)),
  taught: v.optional(
    v.object({
      objects: v.array(v.string()),
      network: v.string(),
      sha256: v.optional(v.string()),
      voxelSizes: v.array(v.pipe(finite, v.gtValue(0, 'expected a voxel size in Å above 0'))),
    }),
  ),
});

/** Options of {@link parseModelSpec}. */
export interface ParseModelSpecOptions {
  /** Where the card comes from, for messages. @defaultValue 'model card' */
  readonly source?: string | undefined;
}

/**
 * Reads a model card: the JSON that says what a network expects and gives. Fields it does not know are ignored.
 *
 * @param card - JSON text, its UTF-8, or the value parsed from it.
 * @throws {@link CryoetPicksError} `invalid-metadata` naming all fields that are missing and the first ones that are wrong.
 *
 * @example
 * ```ts
 * const spec = parseModelSpec(await readFile('models/default.json', 'utf8'), { source: 'models/default.json' });
 * ```
 */
export function parseModelSpec(card: unknown, options: ParseModelSpecOptions = {}): ModelSpec {
  const { source = 'model card' } = requireOptions('parseModelSpec', options, { source: optional(text) });
  const isText = typeof card === 'string' || card instanceof Uint8Array;
  const result = v.safeParse(cardSchema, isText ? parseJson(card, { what: source, code: 'invalid-metadata' }) : card);
  if (!result.success) fail(source, describeIssues(result.issues));
  const spec = result.output;
  checkTile(spec, source);
  checkNames(spec, source);
  const wrong = spec.offsets && wrongOffsets(spec.offsets, spec.classes);
  if (wrong) fail(source, `field "offsets": ${wrong}`);
  return spec;
}

/** Wrong fields that a message shows. */
const SHOWN_ISSUES = 5;

/** What is wrong with a card: the fields that are missing together, then one by one those that are wrong. */
function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  const isMissing = (issue: v.BaseIssue<unknown>) => issue.input === undefined && v.getDotPath(issue) !== null;
  const missing = issues.filter(isMissing).map((issue) => v.getDotPath(issue)!);
  const wrong = issues.filter((issue) => !isMissing(issue));
  const parts = wrong.slice(0, SHOWN_ISSUES).map((issue) => {
    const path = v.getDotPath(issue);
    return `${path === null ? '' : `field "${path}": `}${issue.message}`;
  });
  if (wrong.length > parts.length) parts.push(`${wrong.length - parts.length} more are wrong`);
  if (missing.length === 1) parts.unshift(`field "${missing[0]}" is missing`);
  if (missing.length > 1) parts.unshift(`${missing.length} fields are missing: ${quotedNames(missing)}`);
  return parts.join('; ');
}

/** Voxels of a tile, or scores of one, at most: 8 GiB. */
const MAX_VALUES = 2 ** 31;

/** The JSON text of a card, as {@link parseModelSpec} reads it. */
export function formatModelSpec(spec: ModelSpec): string {
  requireSpec('formatModelSpec', spec);
  return `${JSON.stringify(spec, null, 2)}\n`;
}

function checkTile(
  { tile, outputStride, tileMultiple = outputStride, classes }: v.InferOutput<typeof cardSchema>,
  source: string,
): void {
  const voxels = tile[0] * tile[1] * tile[2];
  const scores = (voxels / outputStride ** 3) * classes.length;
  if (!(Math.max(voxels, scores) <= MAX_VALUES)) {
    const size = `${formatZyx(tile)} voxels with ${classes.length === 1 ? '1 class' : `${classes.length} classes`}`;
    fail(source, `field "tile": ${size} are too many; expected at most ${MAX_VALUES} voxels, and as many scores`);
  }
  if (tileMultiple % outputStride !== 0) {
    fail(source, `field "tileMultiple": ${tileMultiple} is not a multiple of the output stride ${outputStride}`);
  }
  for (const [what, divisor] of [
    ['the output stride', outputStride],
    ['tileMultiple', tileMultiple],
  ] as const) {
    if (tile.every((voxels) => voxels % divisor === 0)) continue;
    fail(source, `field "tile": ${formatZyx(tile)} is not a multiple of ${what} ${divisor}`);
  }
}

/** Every named class has a threshold and a minimum distance, some have a calibration or a curve, and no other name has any. */
function checkNames(
  { classes, thresholds, minDistances, calibration = {}, calibrationCurves = {} }: ModelSpec,
  source: string,
): void {
  const names = classes.filter((name) => name !== null);
  const known = names.map((name) => `"${name}"`).join(', ');
  if (names.length === 0) fail(source, 'field "classes": every class is null; expected at least one name');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(source, `field "classes": "${twice}" is there twice`);
  const sets = hasTwoSets(thresholds)
    ? { 'thresholds.balanced': thresholds.balanced, 'thresholds.competition': thresholds.competition }
    : { thresholds };
  for (const [field, values] of Object.entries({ ...sets, minDistances })) {
    const missing = names.filter((name) => !Object.hasOwn(values, name));
    const objects = `${missing.length === 1 ? 'class' : 'classes'} ${quotedNames(missing)}`;
    if (missing.length > 0) fail(source, `field "${field}": no value for ${objects}`);
  }
  for (const [field, values] of Object.entries({ ...sets, minDistances, calibration, calibrationCurves })) {
    const unknown = Object.keys(values).find((name) => !names.includes(name));
    if (unknown !== undefined) fail(source, `field "${field}": "${unknown}" is not a class; the classes are ${known}`);
  }
}

function fail(source: string, message: string): never {
  throw new CryoetPicksError('invalid-metadata', `${source}: ${message}`);
}
