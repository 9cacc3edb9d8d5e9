import { isFields, type PerObject, perObject, type Rule } from '../core/arguments.ts';

/**
 * One of the two sets of thresholds of a model card. `balanced` is for people: a false pick is as bad as a missed particle (F1).
 * `competition` is for a submission to the CZII challenge, whose metric counts a missed particle as 16 false picks (F4).
 *
 * Picks are balanced, and one particle gets one label. A submission is made of the same candidates at the thresholds of the
 * competition; its metric scores each object alone, so objects do not affect each other in it. Numbers that are given replace those of
 * both sets. A card with one set has no such difference: it serves as both, and objects never affect each other unless asked.
 */
export type ThresholdSet = 'balanced' | 'competition';

/** Minimum scores by object in a model card: two sets, or one that serves as both. */
export type CardThresholds =
  | Readonly<Record<string, number>>
  | Readonly<Record<ThresholdSet, Readonly<Record<string, number>>>>;

/**
 * Minimum scores that are asked for: a set of the model card, one number for all objects, or a record of those that differ from the
 * balanced set.
 */
export type Thresholds = ThresholdSet | PerObject;

/** What minimum scores that are asked for must be; `numberPerObject` checks the numbers. */
export const thresholdsRule: Rule = {
  expected: "'balanced', 'competition', a number, or numbers by object name",
  isValid: (value) => value === 'balanced' || value === 'competition' || perObject.isValid(value),
};

/** The numbers among minimum scores that are asked for: those that replace numbers of both sets. */
export function givenNumbers(thresholds: Thresholds = {}): PerObject {
  return typeof thresholds === 'string' ? {} : thresholds;
}

/** The sets of a card by name, each of which may be the only one that it has. */
export function setsOf(thresholds: CardThresholds): Readonly<Record<ThresholdSet, Readonly<Record<string, number>>>> {
  if (hasTwoSets(thresholds)) return thresholds;
  return { balanced: thresholds, competition: thresholds };
}

/** Whether a card has two sets; one set has a number where the other has an object. */
export function hasTwoSets(
  thresholds: CardThresholds,
): thresholds is Readonly<Record<ThresholdSet, Readonly<Record<string, number>>>> {
  const isSet = (name: ThresholdSet) => Object.hasOwn(thresholds, name) && isFields(thresholds[name]);
  return isSet('balanced') || isSet('competition');
}

/**
 * Whether objects affect each other in picks at the thresholds of a set: never in a submission, unless one set serves as both.
 *
 * @param acrossObjects - As for other picks.
 */
export function acrossIn(
  set: ThresholdSet,
  table: { readonly competitionThresholds?: unknown },
  acrossObjects: boolean | number,
): boolean | number {
  return set === 'competition' && table.competitionThresholds !== undefined ? false : acrossObjects;
}

/**
 * Whether picks of different objects that lie at one place suppress each other, unless the caller says.
 *
 * @param table - Chosen objects, or candidates: `competitionThresholds` is there if the card has two sets.
 */
export function isOneLabelUsual(
  table: { readonly competitionThresholds?: unknown },
  thresholds: Thresholds | undefined,
): boolean {
  return table.competitionThresholds !== undefined && thresholds !== 'competition';
}
