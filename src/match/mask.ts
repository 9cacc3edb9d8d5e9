import { fieldsOf, finiteLength, optional, positiveLength, type Rule, requireArgument } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Rotation, transposed } from '../picks/rotation.ts';
import { formatZyx, sameZyx } from '../space/grid.ts';
import { asVolume, contiguousVolume, toFloat32, type Volume, type VolumeLike } from '../volume/volume.ts';
import type { Template } from './template.ts';
import { middleOf, turnInto } from './turn.ts';

/** A ball with a soft face. */
export interface SphericalMask {
  /** In Å. */
  readonly radius: number;
  /** How far the mask fades beyond `radius`, as a raised cosine, in Å. @defaultValue 0 */
  readonly softEdge?: number | undefined;
}

/** A mask in the tomogram's frame. */
export interface TurnedMask {
  /** Whether it is the same in every orientation. */
  readonly isRound: boolean;
  /** Fills a cube with the weights in an orientation. */
  turnInto(cube: Volume, rotation: Rotation, voxelSize: number): void;
}

/** A mask in the template's frame: a ball, or weights on the template's grid. */
export type MaskShape = SphericalMask | Volume;

/** A mask, and how far it reaches from the centre, in Å. */
interface MaskAndReach {
  readonly mask: MaskShape;
  readonly reach: number;
}

/**
 * The mask of an option of `matchTemplate`.
 *
 * @throws {@link CryoetPicksError} `invalid-option`
 */
export function maskOf(mask: SphericalMask | VolumeLike | undefined, template: Template): MaskAndReach {
  if (mask !== undefined && !('radius' in mask)) {
    const weights = contiguousVolume(toFloats(mask, template), template.volume.shape);
    return { mask: weights, reach: template.radius + template.voxelSize };
  }
  if (mask !== undefined) requireArgument('matchTemplate', 'mask', mask, ballRule);
  const ball = mask ?? { radius: template.radius, softEdge: template.voxelSize };
  return { mask: ball, reach: ball.radius + (ball.softEdge ?? 0) };
}

/** Makes the function that turns a mask. */
export function turnedMask(mask: MaskShape, template: Template): TurnedMask {
  return 'radius' in mask ? roundMask(mask) : turningMask(mask, template);
}

function roundMask({ radius, softEdge = 0 }: SphericalMask): TurnedMask {
  const weightAt = (distance: number) => {
    if (distance <= radius) return 1;
    return distance < radius + softEdge ? 0.5 + 0.5 * Math.cos((Math.PI * (distance - radius)) / softEdge) : 0;
  };
  return {
    isRound: true,
    turnInto({ data, shape }, _, voxelSize) {
      const half = (shape[0] - 1) / 2;
      let to = 0;
      for (let z = -half; z <= half; z++) {
        for (let y = -half; y <= half; y++) {
          for (let x = -half; x <= half; x++) data[to++] = weightAt(Math.hypot(z, y, x) * voxelSize);
        }
      }
    },
  };
}

const ballRule: Rule = /* @__PURE__ */ fieldsOf('a ball { radius, softEdge } in Å', {
  radius: positiveLength,
  softEdge: /* @__PURE__ */ optional(finiteLength),
});

function turningMask(volume: Volume, template: Template): TurnedMask {
  const centre = middleOf(template.volume);
  return {
    isRound: false,
    turnInto(cube, rotation, voxelSize) {
      turnInto(cube, { volume, voxelSize: template.grid.voxelSize, centre }, transposed(rotation), voxelSize);
    },
  };
}

/** @throws {@link CryoetPicksError} `invalid-option` unless weights from 0 to 1 lie on the grid of the template. */
function toFloats(like: VolumeLike, { volume }: Template): Float32Array {
  const mask = asVolume(like, 'matchTemplate', 'mask');
  if (!sameZyx(mask.shape, volume.shape)) {
    fail(`the mask has ${formatZyx(mask.shape)} voxels, the template ${formatZyx(volume.shape)}; expected as many`);
  }
  const floats = toFloat32(mask).data;
  let isEmpty = true;
  for (const weight of floats) {
    if (!(weight >= 0 && weight <= 1)) fail(`the mask holds ${weight}; expected weights from 0 to 1`);
    isEmpty &&= weight === 0;
  }
  if (isEmpty) fail('the mask is 0 everywhere');
  return floats;
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', `matchTemplate: ${message}`, { option: 'mask' });
}
