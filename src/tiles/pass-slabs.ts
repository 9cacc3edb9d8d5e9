import { SpareMemory } from '../spare-memory.ts';
import type { ScoreSlab, ScoreVolume } from './blend.ts';
import { replaceAxis } from './cover.ts';

/** Planes that a reader of slabs may still compare with those of the next one. */
const KEPT = 2;

/**
 * Passes slabs on to a reader that looks back two planes at most, as local maxima do, and gives their memory back as soon as
 * that reader asks for more: the last two planes of each slab it gets as a slab of their own, copied, whose memory is used again
 * once it has got two planes more.
 */
export async function* passSlabs(slabs: AsyncIterable<ScoreSlab>): AsyncGenerator<ScoreSlab, void, undefined> {
  const [spareScores, spareOffsets] = [new SpareMemory(2), new SpareMemory(2)];
  let last: ScoreSlab | undefined;
  for await (const slab of slabs) {
    const planes = slab.scores.shape[slab.axis + 1];
    const cut = Math.max(0, planes - KEPT);
    const tail = copyPlanes(slab, { from: cut, to: planes }, { spareScores, spareOffsets });
    if (cut > 0) yield { ...partOf(slab, (volume) => planesOf(volume, slab, 0, cut)), release: undefined };
    yield tail;
    slab.release?.();
    // Whoever looks back past this tail sees nothing of the one before.
    if (last && planes >= KEPT) {
      spareScores.put(last.scores.data);
      if (last.offsets) spareOffsets.put(last.offsets.data);
    }
    last = tail;
  }
}

/** The slab with other scores, and offsets where it has some. */
function partOf(slab: ScoreSlab, part: (volume: ScoreVolume) => ScoreVolume): ScoreSlab {
  return { ...slab, scores: part(slab.scores), offsets: slab.offsets && part(slab.offsets) };
}

/** A view of some planes along the sweep axis. */
function planesOf(volume: ScoreVolume, { axis }: ScoreSlab, from: number, to: number): ScoreVolume {
  const [channels, z, y, x] = volume.shape;
  const shape = replaceAxis([z, y, x], axis, to - from);
  return { ...volume, shape: [channels, ...shape], offset: volume.offset + from * volume.stride[axis + 1] };
}

function copyPlanes(
  slab: ScoreSlab,
  { from, to }: { readonly from: number; readonly to: number },
  { spareScores, spareOffsets }: { readonly spareScores: SpareMemory; readonly spareOffsets: SpareMemory },
): ScoreSlab {
  return {
    ...slab,
    scores: copyOf(planesOf(slab.scores, slab, from, to), spareScores),
    offsets: slab.offsets && copyOf(planesOf(slab.offsets, slab, from, to), spareOffsets),
    start: slab.start + from,
    release: undefined,
  };
}

function copyOf({ data, shape, stride, offset }: ScoreVolume, spare: SpareMemory): ScoreVolume {
  const [classes, depth, height, width] = shape;
  const length = classes * depth * height * width;
  const copy = spare.take(length) ?? new Float32Array(length);
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
  return { data: copy, shape, stride: [depth * plane, plane, width, 1], offset: 0 };
}
