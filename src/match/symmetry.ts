import { CryoetPicksError } from '../core/errors.ts';
import { identity, type Rotation } from '../picks/rotation.ts';
import { type SymmetryGroup, symmetryRotations } from './rotations.ts';
import type { Template } from './template.ts';
import { emptyCube, middleOf, turnInto } from './turn.ts';

/** The least correlation of a template with itself, turned by a rotation of its group. */
const LEAST = 0.8;

/** Groups that are tried for the message, highest order first. */
const groups = ['I', 'O', 'T', 'D7', 'D6', 'D5', 'D4', 'D3', 'D2', 'C7', 'C6', 'C5', 'C4', 'C3', 'C2'] as const;

/**
 * Checks by scores that a template has a symmetry.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if it looks otherwise when it is turned by a rotation of the group, with the group
 *   that it has.
 */
export function requireSymmetry(template: Template, symmetry: SymmetryGroup, call: string): void {
  const found = leastCorrelation(template, symmetry);
  if (found >= LEAST) return;
  const own = groups.find((group) => leastCorrelation(template, group) >= LEAST) ?? 'C1';
  throw new CryoetPicksError(
    'invalid-option',
    `${call}: the template has not the symmetry ${symmetry}: turned by one of its rotations, it correlates with itself by ` +
      `${found.toFixed(2)}; its scores are those of ${own}. Say ${own}, or turn the map so that its axes are those of ${symmetry}`,
    { option: 'symmetry' },
  );
}

/** The least correlation of a template with itself over the rotations of a group. */
function leastCorrelation(template: Template, symmetry: SymmetryGroup): number {
  const { volume, grid } = template;
  const object = { volume, voxelSize: grid.voxelSize, centre: middleOf(volume) };
  const half = Math.ceil(template.radius / template.voxelSize);
  const shown = (rotation: Rotation) => {
    const cube = emptyCube(half);
    turnInto(cube, object, rotation, template.voxelSize);
    return cube.data;
  };
  const own = shown(identity);
  const [, ...others] = symmetryRotations(symmetry);
  return others.reduce((least, rotation) => Math.min(least, correlation(own, shown(rotation))), 1);
}

function correlation(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}
