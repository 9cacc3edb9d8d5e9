import type { RunPicks } from '../run-picks.ts';
import { formatSubmission, parseSubmission } from '../submission.ts';
import type { PicksFormat } from './format.ts';

/** Options of {@link submissionFormat}. */
export interface SubmissionFormatOptions {
  /**
   * Writes a column `score`, which the competition's own files have not.
   * @defaultValue false
   */
  readonly score?: boolean | undefined;
}

/**
 * CSV of the CZII competition: `id, experiment, particle_type, x, y, z`, in Å; `parseSubmission` and `formatSubmission` as a
 * format. A missing score is 1.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: submissionFormat(), source: 'submission.csv' });
 * ```
 */
export function submissionFormat({ score = false }: SubmissionFormatOptions = {}): PicksFormat {
  return {
    name: 'competition CSV',
    content: 'text',
    losses: [
      ...(score ? [] : [{ part: 'score', what: 'the competition asks for none' } as const]),
      { part: 'instance', what: 'the competition asks for none' },
      { part: 'orientation', what: 'the competition asks for none' },
    ],
    parse: (text, source) => parseSubmission(text, { source }),
    format: (runs: Iterable<RunPicks>) => formatSubmission(runs, { score }),
  };
}
