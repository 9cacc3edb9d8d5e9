import { rotationOf } from '../rotation.ts';
import type { RunPicks } from '../run-picks.ts';
import type { Loss, PickPart } from './format.ts';

const unknownLoss: Loss = { part: 'unknown', what: 'keys of copick points that are not known here have no place' };

/**
 * Tells what of given picks a format has no place for, a line each; none if all of it survives.
 *
 * @example
 * ```ts
 * for (const line of describeLosses(runs, { format: cmmFormat() })) console.warn(line);
 * ```
 */
export function describeLosses(
  runs: Iterable<RunPicks>,
  { format }: { readonly format: { readonly losses: readonly Loss[]; readonly keepsUnknown?: boolean | undefined } },
): string[] {
  const given = [...runs];
  const picks = given.flatMap((run) => run.picks);
  const counts: Readonly<Record<PickPart, number>> = {
    run: given.filter(({ run }) => !/^[1-9]\d*$/.test(run)).reduce((sum, run) => sum + run.picks.length, 0),
    object: picks.length,
    score: picks.filter(({ score }) => score !== 1).length,
    instance: picks.filter(({ instanceId }) => instanceId !== undefined).length,
    orientation: picks.filter(({ transform }) => rotationOf(transform) !== undefined).length,
    precision: picks.length,
    unknown: picks.filter(({ unknown }) => unknown !== undefined).length,
  };
  const losses = format.keepsUnknown ? format.losses : [...format.losses, unknownLoss];
  return losses
    .filter(({ part }) => counts[part] > 0)
    .map(({ part, what }) => `${part}: ${what} (${counts[part]} of ${picks.length} picks)`);
}
