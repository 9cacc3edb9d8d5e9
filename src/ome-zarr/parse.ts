import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import { parseJson } from '../json.ts';

/**
 * Parses a metadata file; the bare `NaN` and `Infinity` that Python writes are those numbers.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` naming the file.
 */
export function parseMetadataFile(bytes: Uint8Array, where: string): unknown {
  return parseJson(new TextDecoder().decode(bytes), { what: where, code: 'invalid-metadata', maxDepth: 200 });
}

/** Parses by a schema. @throws {@link CryoetPicksError} `invalid-metadata` naming the place of the first issue. */
export function parseMetadata<S extends v.GenericSchema>(schema: S, json: unknown, where: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const path = v.getDotPath(issue);
  throw invalid(where, `${path === null ? '' : `"${path}": `}${issue.message}`);
}

/** An error about metadata that cannot be understood. */
export function invalid(where: string, what: string): CryoetPicksError {
  return new CryoetPicksError('invalid-metadata', `cannot understand the metadata of ${where}: ${what}`);
}

/** An error about something valid that this library does not handle; `what` names it, and may tell what is handled. */
export function unsupported(where: string, what: string): CryoetPicksError {
  return new CryoetPicksError('unsupported', `cannot read ${where}: not supported: ${what}`);
}
