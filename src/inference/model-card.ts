import * as v from 'valibot';
import { CryoetPicksError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { formatZyx } from '../space/zyx.ts';
import { type ModelSpec, wrongOffsets } from './model.ts';

const edge = v.pipe(
  v.number(),
  v.integer('expected a whole number of voxels'),
  v.minValue(1, 'expected at least 1 voxel'),
);
const finite = v.pipe(v.number(), v.finite('expected a finite number'));
const length = v.pipe(finite, v.minValue(0, 'expected a length in Å, at least 0'));

const cardSchema = v.object({
  name: v.pipe(v.string(), v.nonEmpty('expected a name')),
  tile: v.tuple([edge, edge, edge]),
  tileMultiple: v.optional(edge),
  outputStride: v.picklist([1, 2, 4]),
  voxelSize: v.pipe(finite, v.gtValue(0, 'expected a voxel size in Å above 0')),
  classes: v.pipe(v.array(v.nullable(v.string())), v.minLength(1, 'expected at least one class')),
  offsets: v.optional(v.tuple([v.number(), v.number(), v.number()])),
  activation: v.picklist(['softmax', 'sigmoid', 'none']),
  normalization: v.picklist(['z-score', 'quantiles', 'min-max', 'none']),
  contrast: v.optional(v.picklist(['dark', 'bright'])),
  thresholds: v.record(v.string(), finite),
  minDistances: v.record(v.string(), length),
});

/** Options of {@link parseModelSpec}. */
export interface ParseModelSpecOptions {
  /** Where the card comes from, for messages. @defaultValue 'model card' */
  readonly source?: string | undefined;
}

/**
 * Reads a model card: the JSON that says what a network expects and gives. Fields it does not know are ignored.
 *
 * @param card - JSON text, or the value parsed from it.
 * @throws {@link CryoetPicksError} `invalid-metadata` naming the field that is missing or wrong.
 *
 * @example
 * ```ts
 * const spec = parseModelSpec(await readFile('models/default.json', 'utf8'), { source: 'models/default.json' });
 * ```
 */
export function parseModelSpec(card: unknown, { source = 'model card' }: ParseModelSpecOptions = {}): ModelSpec {
  const result = v.safeParse(
    cardSchema,
    typeof card === 'string' ? parseJson(card, { what: source, code: 'invalid-metadata' }) : card,
  );
  if (!result.success) {
    const [issue] = result.issues;
    const path = v.getDotPath(issue);
    const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : '';
    fail(source, `${path === null ? '' : `field "${path}": `}${issue.message}${more}`);
  }
  const spec = result.output;
  checkTile(spec, source);
  checkNames(spec, source);
  const wrong = spec.offsets && wrongOffsets(spec.offsets, spec.classes);
  if (wrong) fail(source, `field "offsets": ${wrong}`);
  return spec;
}

/** The JSON text of a card, as {@link parseModelSpec} reads it. */
export function formatModelSpec(spec: ModelSpec): string {
  return `${JSON.stringify(spec, null, 2)}\n`;
}

function checkTile(
  { tile, outputStride, tileMultiple = outputStride }: Pick<ModelSpec, 'tile' | 'outputStride' | 'tileMultiple'>,
  source: string,
): void {
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

/** Every named class has a threshold and a minimum distance, and no other name has one. */
function checkNames({ classes, thresholds, minDistances }: ModelSpec, source: string): void {
  const names = classes.filter((name) => name !== null);
  const known = names.map((name) => `"${name}"`).join(', ');
  if (names.length === 0) fail(source, 'field "classes": every class is null; expected at least one name');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(source, `field "classes": "${twice}" is there twice`);
  for (const [field, values] of Object.entries({ thresholds, minDistances })) {
    const missing = names.find((name) => !Object.hasOwn(values, name));
    if (missing !== undefined) fail(source, `field "${field}": no value for class "${missing}"`);
    const unknown = Object.keys(values).find((name) => !names.includes(name));
    if (unknown !== undefined) fail(source, `field "${field}": "${unknown}" is not a class; the classes are ${known}`);
  }
}

function fail(source: string, message: string): never {
  throw new CryoetPicksError('invalid-metadata', `${source}: ${message}`);
}
