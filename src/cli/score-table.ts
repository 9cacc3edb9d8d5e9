import type { ScoringRules } from '../metric/competition.ts';
import type { ObjectScore, Report } from '../metric/score.ts';
import { formatTable } from './table.ts';

/** The score and what it is made of, as lines: the total first, then a table per object. */
export function scoreLines({ score, objects }: Pick<Report, 'score' | 'objects'>, rules: ScoringRules): string[] {
  const { beta, matchFraction, matching = 'official' } = rules;
  const within = matchFraction === 0.5 ? 'half the radius' : `${matchFraction} of the radius`;
  return [
    `score ${score.toFixed(4)}  (weighted mean of F${beta}; a pick counts within ${within}; ${matching} matching)`,
    ...missingLines(objects, rules),
    '',
    ...objectTable(objects, rules),
  ];
}

/** Why even perfect picks score less than 1, where the truth lacks objects that the divisor counts. */
function missingLines(objects: Report['objects'], { objects: known, weightSum }: ScoringRules): string[] {
  if (weightSum === undefined) return [];
  const weights = Object.entries(known).map(([name, { weight }]) => (Object.hasOwn(objects, name) ? weight : 0));
  const best = weights.reduce((sum, weight) => sum + weight, 0) / weightSum;
  if (best >= 1) return [];
  const there = `${Object.keys(objects).length} of the ${weights.length} particles of the competition`;
  return [`the truth holds ${there}, whose weights always sum to ${weightSum}: perfect picks score ${best.toFixed(4)}`];
}

/** A table of objects; the heading names what they are of. */
export function objectTable(
  objects: Readonly<Record<string, ObjectScore>>,
  { objects: known, beta }: ScoringRules,
): string[] {
  const rows = Object.entries(objects).map(([name, { tp, fp, fn, precision, recall, fbeta, meanDistance }]) => [
    name,
    known[name]?.weight ?? 0,
    tp,
    fp,
    fn,
    precision.toFixed(3),
    recall.toFixed(3),
    fbeta.toFixed(4),
    meanDistance === undefined ? '–' : meanDistance.toFixed(1),
  ]);
  const header = ['particle', 'weight', 'hit', 'false', 'missed', 'precision', 'recall', `F${beta}`, 'offset Å'];
  return formatTable({ header, rows });
}
