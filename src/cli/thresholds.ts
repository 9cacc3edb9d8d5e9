import { readFile } from 'node:fs/promises';
import { numbersByName } from '../core/arguments.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { acrossIn, isOneLabelUsual, type ThresholdSet } from '../inference/thresholds.ts';
import { type Candidates, type Mask, picksFromCandidates, usualThresholds } from '../picks/candidates.ts';
import type { ParticlePick } from '../picks/pick.ts';
import type { DetectInput } from './command.ts';
import { UsageError } from './terminal.ts';

/** The minimum scores that a command is given. */
export interface AskedThresholds {
  /** For all that the command writes. @defaultValue the balanced set for picks, that of the competition for a submission */
  readonly set?: ThresholdSet | undefined;
  /** By object; they replace those of either set. */
  readonly numbers: Readonly<Record<string, number>>;
}

/**
 * What `--thresholds` and `--threshold` ask for.
 *
 * @throws {@link UsageError} for a file that does not hold numbers by object.
 */
export async function askedThresholds({
  thresholds: asked,
  threshold = {},
}: Pick<DetectInput, 'thresholds' | 'threshold'>): Promise<AskedThresholds> {
  if (asked === undefined) return { numbers: threshold };
  if (asked === 'balanced' || asked === 'competition') return { set: asked, numbers: {} };
  const bytes = await readFile(asked).catch((cause: NodeJS.ErrnoException) => {
    const hint = asked.includes('=') ? `; for single objects: --threshold ${asked}` : '';
    throw new UsageError(
      `--thresholds is balanced, competition or a JSON file of numbers by object; ${asked} cannot be read (${cause.code})${hint}`,
    );
  });
  const numbers = jsonOf(asked, bytes);
  if (numbersByName.isValid(numbers)) return { numbers: numbers as AskedThresholds['numbers'] };
  throw new UsageError(`--thresholds ${asked} holds other JSON than numbers by object, such as {"ribosome": 0.3}`);
}

function jsonOf(path: string, bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, { what: `--thresholds ${path}`, code: 'invalid-option' });
  } catch (error) {
    if (isCryoetPicksError(error)) throw new UsageError(error.message);
    throw error;
  }
}

/** Which thresholds something has, in words. */
export function thresholdsText({ set, numbers }: AskedThresholds, usual: ThresholdSet): string {
  const given = Object.entries(numbers).map(([object, number]) => `${object} ${number}`);
  return [set ?? usual, ...given].join(', ');
}

/** Which thresholds were used, for programs. */
export function thresholdsDocument(
  { set, numbers }: AskedThresholds,
  { submission }: Pick<DetectInput, 'submission'>,
): ThresholdsDocument {
  return {
    picks: set ?? 'balanced',
    ...(submission !== undefined && { submission: set ?? 'competition' }),
    ...(Object.keys(numbers).length > 0 && { numbers }),
  };
}

/** The line that says which thresholds were used. */
export function thresholdsLine(asked: AskedThresholds, { submission }: Pick<DetectInput, 'submission'>): string {
  const picks = thresholdsText(asked, 'balanced');
  const submitted = submission === undefined ? picks : thresholdsText(asked, 'competition');
  return `thresholds  ${picks}${submitted === picks ? '' : `; of the submission: ${submitted}`}`;
}

/** Which thresholds were used. */
export interface ThresholdsDocument {
  readonly picks: ThresholdSet;
  readonly submission?: ThresholdSet | undefined;
  readonly numbers?: Readonly<Record<string, number>> | undefined;
}

/** How the picks of a submission are made. */
export interface SubmissionOptions extends Pick<DetectInput, 'acrossObjects' | 'max'> {
  readonly asked: AskedThresholds;
  /** Names of the objects. */
  readonly objects: readonly string[];
  readonly mask?: Mask | readonly Mask[] | undefined;
}

/** The picks of a submission: at the thresholds of the competition, unless others are asked for. */
export function submissionPicks(
  candidates: Candidates,
  { asked: { set = 'competition', numbers }, objects, mask, max, ...options }: SubmissionOptions,
): ParticlePick[] {
  const { acrossObjects = isOneLabelUsual(candidates, set) } = options;
  return picksFromCandidates(candidates, {
    objects: objects.map((name) => ({ name })),
    thresholds: { ...usualThresholds(candidates, set), ...numbers },
    acrossObjects: acrossIn(set, candidates, acrossObjects),
    ...{ mask, max },
  });
}
