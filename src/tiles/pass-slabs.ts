import type { ScoreSlab } from './blend.ts';
import { replaceAxis } from './cover.ts';

/** Planes that a reader of slabs may still compare with those of the next one. */
const KEPT = 2;

/**
 * Passes slabs on to a reader that looks back two planes at most, as local maxima do, and gives their memory back as soon as
 * that reader asks for more: the last two planes of each slab it gets as a slab of their own, copied.
 */
export async function* passSlabs(slabs: AsyncIterable<ScoreSlab>): AsyncGenerator<ScoreSlab, void, undefined> {
  for await (const slab of slabs) {
    const planes = slab.scores.shape[slab.axis + 1];
    const cut = Math.max(0, planes - KEPT);
    const tail = copyPlanes(slab, cut, planes);
    if (cut > 0) yield { ...slab, scores: planesOfSlab(slab, 0, cut), release: undefined };
    yield tail;
    slab.release?.();
  }
}

/** A view of some planes along the sweep axis. */
function planesOfSlab({ axis, scores }: ScoreSlab, from: number, to: number): ScoreSlab['scores'] {
  const [classes, z, y, x] = scores.shape;
  const shape = replaceAxis([z, y, x], axis, to - from);
  return { ...scores, shape: [classes, ...shape], offset: scores.offset + from * scores.stride[axis + 1] };
}

function copyPlanes(slab: ScoreSlab, from: number, to: number): ScoreSlab {
  const { data, shape, stride, offset } = planesOfSlab(slab, from, to);
  const [classes, depth, height, width] = shape;
  const copy = new Float32Array(classes * depth * height * width);
  let at = 0;
  for (let k = 0; k < classes; k++) {
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++, at += width) {
        const row = offset + k * stride[0] + z * stride[1] + y * stride[2];
        copy.set(data.subarray(row, row + width), at);
      }
    }
  }
  const plane = height * width;
  const scores = { data: copy, shape, stride: [depth * plane, plane, width, 1] as const, offset: 0 };
  return { ...slab, start: slab.start + from, scores, release: undefined };
}
