import {
  abortSignal,
  callback,
  optional,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  stream,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type RunPicks, runsOf } from '../picks/pick.ts';
import type { AnyPicksFormat } from './by-name.ts';
import { encodePicks } from './format.ts';

/** Options of {@link encodeRuns}. */
export interface EncodeRunsOptions {
  /**
   * The format of one run, such as `(run, rows) => submissionFormat({ firstId: rows })`, with the number of rows before it. Where the
   * format numbers runs or objects, the numbers must be given, since they follow from no other run.
   */
  readonly formatOf: (run: string, rows: number) => AnyPicksFormat | Promise<AnyPicksFormat>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes picks of many runs as one file, run by run: the header once, then the rows of each run. Memory is that of one run.
 *
 * For the formats with `rowsOfRuns` in `formatRequirements`: CSV, the competition's, and STAR of RELION.
 *
 * @param runs - Runs in the order of the file, each at most once.
 * @returns The file in pieces; together they are what {@link encodePicks} gives for all runs.
 * @throws {@link CryoetPicksError} As {@link encodePicks}; `invalid-picks` for a run whose file has another header than those before,
 *   as if only some runs have orientations in CSV, or another voxel size in RELION 4.
 *
 * @example
 * ```ts
 * const gathered = await gatherProject(project);
 * const pieces = encodeRuns(gathered.picks(), { formatOf: (run, rows) => submissionFormat({ firstId: rows }) });
 * ```
 */
export async function* encodeRuns(
  runs: AsyncIterable<RunPicks> | Iterable<RunPicks>,
  options: EncodeRunsOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  requireArgument('encodeRuns', 'runs', runs, streamOfRuns);
  const { formatOf, signal } = requireOptions('encodeRuns', options, encodeRunsRules);
  let header: Uint8Array | undefined;
  let rows = 0;
  for await (const given of runs) {
    const [one] = runsOf([given], 'encodeRuns') as [RunPicks];
    const format = await formatOf(one.run, rows);
    const [bytes, own] = [await encodePicks([one], { format, signal }), await encodePicks([], { format, signal })];
    if (!startsWith(bytes, own) || (header !== undefined && !isSame(header, own))) {
      throw new CryoetPicksError(
        'invalid-picks',
        `${format.name}: the file of run "${one.run}" has another header than those before, so that they cannot be one file; write a file per run`,
      );
    }
    if (header === undefined) yield own;
    header = own;
    rows += one.picks.length;
    yield bytes.subarray(own.length);
  }
  if (header === undefined) yield await encodePicks([], { format: await formatOf('', 0), signal });
}

const encodeRunsRules: RulesFor<EncodeRunsOptions> = {
  formatOf: callback,
  signal: /* @__PURE__ */ optional(abortSignal),
};

const streamOfRuns: Rule = { ...stream, expected: 'an iterable or async iterable of runs { run, picks }' };

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, i) => byte === bytes[i]);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && startsWith(a, b);
}
