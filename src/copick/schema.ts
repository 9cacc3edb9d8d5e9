import * as v from 'valibot';
import { CryoetPicksError, type ErrorCode } from '../errors.ts';

/** A number that measures something; a long integer, which is a `bigint` in exact JSON, becomes the nearest number. */
export const measure: v.GenericSchema<unknown, number> = v.pipe(
  v.unknown(),
  v.transform((value) => (typeof value === 'bigint' ? Number(value) : value)),
  v.number(),
);

/** A whole number that a `number` holds to the last digit. */
export const wholeNumber: v.GenericSchema<unknown, number> = v.pipe(
  v.unknown(),
  v.check((value) => typeof value !== 'bigint', 'it must be within ±2^53'),
  v.number(),
  v.integer('it must be a whole number'),
  v.safeInteger('it must be within ±2^53'),
);

/** Options of {@link checkSchema}. */
export interface CheckSchemaOptions {
  /** What is checked, for messages. */
  readonly what: string;
  readonly code: ErrorCode;
}

/**
 * The value as a schema gives it out.
 *
 * @throws {@link CryoetPicksError} of the given code, which names the first place that does not fit.
 */
export function checkSchema<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  { what, code }: CheckSchemaOptions,
): v.InferOutput<S> {
  // Schemas of objects let arrays through.
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const found = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
    throw new CryoetPicksError(code, `${what} is not a JSON object: found ${found}`);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new CryoetPicksError(code, `${what}: ${describeIssue(parsed.issues[0])}`);
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? '';
  if (issue.received === 'undefined') return `${path} is missing`;
  return issue.expected === null || issue.type === 'not_value'
    ? `${path} is ${issue.received}: ${issue.message}`
    : `${path}: expected ${issue.expected}, found ${issue.received}`;
}
