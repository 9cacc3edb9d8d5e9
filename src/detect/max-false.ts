import { optional, ownNumber, type PerObject, perObject, type RulesFor } from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { givenNumbers, type Thresholds } from '../inference/thresholds.ts';
import { type Candidates, type PicksFromCandidatesOptions, usualThresholds } from '../picks/candidates.ts';
import { chooseWithEstimates, type FalsePicks, requireMaxFalse } from '../picks/false-picks.ts';

/** A limit on false picks in place of thresholds. */
export interface MaxFalseOptions {
  /**
   * Maximum share of the picks of an object that are false, by the estimate of `estimateFalsePicks`: one for all objects, or a record
   * of those that have one. The threshold is then the lowest that keeps to it in this tomogram. An object that `thresholds` names
   * keeps its threshold, and so does one of which it cannot be told, with a warning.
   * @defaultValue none: thresholds decide
   */
  readonly maxFalse?: PerObject | undefined;
}

/** What the limit must be. */
export const maxFalseRules: RulesFor<MaxFalseOptions> = { maxFalse: /* @__PURE__ */ optional(perObject) };

/** Shares by object. */
export type Shares = Readonly<Record<string, number>>;

/**
 * The maximum share of each object that has one, and no threshold of its own.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if a share is not from 0 to 1, of an object that is not looked for, or without
 *   effect, since all thresholds are given.
 */
export function sharesOf(
  classes: readonly string[],
  { maxFalse, thresholds: asked }: MaxFalseOptions & { readonly thresholds?: Thresholds | undefined },
  call: string,
): Shares {
  if (maxFalse === undefined) return {};
  const thresholds = givenNumbers(asked);
  requireMaxFalse(classes, maxFalse, call);
  if (typeof thresholds === 'number') {
    const message = `${call}: thresholds is ${thresholds} for all objects, which leaves maxFalse none to choose; leave out one of them`;
    throw new CryoetPicksError('invalid-option', message, { option: 'maxFalse' });
  }
  const shares = classes.flatMap((object): [string, number][] => {
    const share = typeof maxFalse === 'number' ? maxFalse : ownNumber(maxFalse, object);
    return share === undefined || Object.hasOwn(thresholds, object) ? [] : [[object, share]];
  });
  return Object.fromEntries(shares);
}

/** What else decides picks, and who is warned. */
export interface ThresholdsWithinOptions
  extends Pick<PicksFromCandidatesOptions, 'objects' | 'thresholds' | 'minDistances' | 'mask'> {
  readonly shares: Shares;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** A threshold that `maxFalse` has chosen, or had to leave as it is, and what the estimate says of the picks at it. */
export interface ChosenThreshold extends FalsePicks {
  /** Above all scores if even the best pick is false more likely than allowed. */
  readonly threshold: number;
  /** What it would be without `maxFalse`, which may be lower or higher. */
  readonly usualThreshold: number;
}

/** Result of {@link thresholdsWithin}. */
export interface ThresholdsWithin {
  /** Those that are given, with those that keep to the maximum shares. */
  readonly thresholds: Thresholds | undefined;
  /** Of each object that has a maximum share; undefined if none has one. */
  readonly maxFalse?: Readonly<Record<string, ChosenThreshold>> | undefined;
}

/** Chooses the thresholds that keep to the maximum shares, and warns of objects of which it cannot be told. */
export function thresholdsWithin(
  candidates: Candidates,
  { shares, thresholds, onWarning, ...picking }: ThresholdsWithinOptions,
): ThresholdsWithin {
  const objects = Object.keys(shares);
  if (objects.length === 0) return { thresholds };
  const usual = { ...usualThresholds(candidates, thresholds), ...(givenNumbers(thresholds) as Record<string, number>) };
  const chosen = chooseWithEstimates(candidates, {
    ...picking,
    thresholds: usual,
    objects: objects.map((name) => ({ name })),
    maxFalse: shares,
  });
  const maxFalse = objects.map((object): [string, ChosenThreshold] => {
    const { threshold, ...estimate } = chosen[object]!;
    const usualThreshold = usual[object]!;
    if (threshold !== undefined) return [object, { threshold, usualThreshold, ...estimate }];
    const message =
      `how many picks of "${object}" are false cannot be told: ${estimate.reason}; ` +
      `its threshold is ${usualThreshold}, as usual`;
    onWarning?.({ code: 'false-picks-unknown', message });
    return [object, { threshold: usualThreshold, usualThreshold, ...estimate }];
  });
  const told = objects.flatMap((object): [string, number][] => {
    const { threshold } = chosen[object]!;
    return threshold === undefined ? [] : [[object, threshold]];
  });
  return {
    thresholds: { ...usual, ...Object.fromEntries(told) },
    maxFalse: Object.fromEntries(maxFalse),
  };
}
