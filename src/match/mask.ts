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

/** A mask, and how far it reaches from the centre, in Å. */
interface MaskAndReach {
  readonly mask: TurnedMask;
  readonly reach: number;
}

/**
 * The mask of an option of `matchTemplate`.
 *
 * @throws {@link CryoetPicksError} `invalid-option`
 */
export function maskOf(mask: SphericalMask | VolumeLike | undefined, template: Template): MaskAndReach {
  if (mask !== undefined && !('radius' in mask)) {
    return { mask: turningMask(mask, template), reach: template.radius + template.voxelSize };
  }
  if (mask !== undefined) requireArgument('matchTemplate', 'mask', mask, ballRule);
  const { radius, softEdge = 0 } = mask ?? { radius: template.radius, softEdge: template.voxelSize };
  const weightAt = (distance: number) => {
    if (distance <= radius) return 1;
    return distance < radius + softEdge ? 0.5 + 0.5 * Math.cos((Math.PI * (distance - radius)) / softEdge) : 0;
  };
  const round: TurnedMask = {
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
  return { mask: round, reach: radius + softEdge };
}

const ballRule: Rule = /* @__PURE__ */ fieldsOf('a ball { radius, softEdge } in Å', {
  radius: positiveLength,
  softEdge: /* @__PURE__ */ optional(finiteLength),
});

function turningMask(like: VolumeLike, template: Template): TurnedMask {
  const volume = contiguousVolume(toFloats(like, template), template.volume.shape);
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
