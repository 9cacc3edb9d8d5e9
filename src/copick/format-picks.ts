import { CryoetPicksError } from '../errors.ts';
import type { Pick, Transform } from '../picks/pick.ts';
import { formatExactJson } from './exact-json.ts';
import { headOf } from './file-head.ts';
import { writeNested } from './nested-json.ts';
import type { PicksFile } from './picks.ts';

/**
 * Writes a picks file as copick does, with an indent of four and `unit` angstrom.
 *
 * The whole position goes into `location`, and the translation of each matrix is 0, so that a reader who overlooks the
 * translation finds the particle too; reading gives the same positions and rotations to the last bit.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the index of a pick whose position, score or matrix is not finite,
 *   whose matrix is not 4×4 with a last row of 0, 0, 0, 1, whose instance id is no whole number, or which is of another
 *   object than the file.
 * @example
 * ```ts
 * const text = formatPicksFile({ object: 'ribosome', userId: 'me', sessionId: '1', picks });
 * ```
 */
export function formatPicksFile(file: PicksFile): string {
  const json = {
    ...headOf(file),
    points: file.picks.map((pick, index) => {
      checkPick(pick, `pick ${index} of "${file.object}"`);
      if (pick.object !== file.object) {
        throw new CryoetPicksError('invalid-picks', `pick ${index} of "${file.object}" is of object "${pick.object}"`);
      }
      return formatPick(pick);
    }),
    trust_orientation: file.trustOrientation ?? true,
    ...file.unknown,
  };
  return writeNested(() => formatExactJson(json, 4), `the picks file of "${file.object}"`, 'invalid-picks');
}

function formatPick({
  position: { x, y, z },
  transform,
  instanceId = 0,
  score,
  unknown,
}: Pick): Record<string, unknown> {
  const known = {
    location: { x, y, z },
    transformation_: [...[0, 1, 2].map((i) => rotationRow(transform, i)), [0, 0, 0, 1]],
    instance_id: instanceId,
    score,
  };
  return unknown === undefined ? known : { ...known, ...unknown, ...known };
}

function rotationRow(transform: Transform | undefined, i: number): number[] {
  const row = transform?.[i] ?? [0, 1, 2].map((j) => (i === j ? 1 : 0));
  return [row[0]!, row[1]!, row[2]!, 0];
}

function checkPick({ position, transform, instanceId, score }: Pick, what: string): void {
  const { x, y, z } = position;
  if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z)) {
    throw new CryoetPicksError('invalid-picks', `${what} lies at x ${x}, y ${y}, z ${z} Å, which is no place`);
  }
  if (!Number.isFinite(score)) {
    throw new CryoetPicksError('invalid-picks', `${what} has a score of ${score}, expected a finite number`);
  }
  if (instanceId !== undefined && typeof instanceId !== 'bigint' && !Number.isSafeInteger(instanceId)) {
    throw new CryoetPicksError('invalid-picks', `${what} has the instance id ${instanceId}, expected a whole number`);
  }
  if (transform === undefined) return;
  const fits = transform.length === 4 && transform.every((row) => row.length === 4 && row.every(Number.isFinite));
  if (!fits || transform[3]!.some((value, i) => value !== (i === 3 ? 1 : 0))) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${what} has the matrix ${JSON.stringify(transform)}, expected 4×4 finite numbers with a last row of 0,0,0,1`,
    );
  }
}
