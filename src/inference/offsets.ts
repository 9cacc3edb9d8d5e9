import type { ModelSpec } from './model.ts';

/** What is wrong with a card's offsets; nothing where they are right or there are none. */
export function wrongOffsets({ offsets, classes }: ModelSpec): string | undefined {
  const first = classes.length - 3;
  const isRight = (_: unknown, i: number) => offsets?.includes(first + i) && classes[first + i] === null;
  if (!offsets || [0, 0, 0].every(isRight)) return undefined;
  return `expected the channels of z, y, x, the last three and null among the classes; found [${offsets}] of ${classes.length}`;
}
