import { eventLoopTurn, mapOrdered } from '../async.ts';
import { coarseGrid } from '../space/grid.ts';
import { voxelCount } from '../space/zyx.ts';
import { type ScoreSlab, SlabBlender } from '../tiles/blend.ts';
import type { Tile } from '../tiles/plan.ts';
import { isPointwise, noNormalization } from '../volume/normalize.ts';
import { readPaddedInto } from '../volume/padded.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { activate } from './activation.ts';
import { channelsOf, firstChannels, handedOn, scaleOffsets } from './channels.ts';
import type { ScoreOptions } from './score.ts';
import { type ReadBatch, scoreAhead } from './score-ahead.ts';

/** The work of `scoreSlabs`. What is copied on the way of a tile, and why: docs/tiling.md. */
export async function* runPlan(
  source: VolumeSource,
  options: ScoreOptions,
): AsyncGenerator<ScoreSlab, void, undefined> {
  const { plan, model, average = 'probabilities', batch = 1, signal, onProgress } = options;
  const { activation, classes } = model.spec;
  const late = average === 'logits' ? activation : 'none';
  const early = average === 'logits' ? 'none' : activation;
  const channels = channelsOf(model.spec, late);
  const { activated, blended, blendedScores } = channels;
  const blender = new SlabBlender(plan, { grid: coarseGrid(source.grid, plan.outputStride), classes: blended });
  const reader = new TileReader(source, options);
  // One batch is read while others are in the model or wait for it.
  const batches = mapOrdered(inBatches(plan.tiles, batch), (tiles, stop) => reader.read(tiles, stop), {
    concurrency: 1,
    signal,
  });
  let done = 0;
  for await (const { tiles, scores, memory } of scoreAhead(batches, options)) {
    if (memory) reader.recycle(memory);
    const size = scores.data.length / tiles.length;
    for (let i = 0; i < tiles.length; i++) {
      const tileScores = scores.data.subarray(i * size, (i + 1) * size);
      const active = firstChannels(tileScores, activated, classes.length);
      for (const _ of activate(early, active, activated)) await eventLoopTurn();
      for (const _ of blender.addInSteps(tiles[i], tileScores)) await eventLoopTurn();
    }
    scores.release?.();
    done += tiles.length;
    onProgress?.({ stage: 'tiles', done, total: plan.tiles.length });
    for (const slab of blender.takeFinished()) {
      const active = firstChannels(slab.scores.data, blendedScores, blended.length);
      for (const _ of activate(late, active, blendedScores)) await eventLoopTurn();
      const own = handedOn(slab, channels);
      for (const _ of scaleOffsets(own, plan.outputStride)) await eventLoopTurn();
      yield own;
    }
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
}

function* inBatches(tiles: readonly Tile[], size: number): Generator<readonly Tile[]> {
  for (let i = 0; i < tiles.length; i += size) yield tiles.slice(i, i + size);
}

/** Voxels of a tile that are normalised in one piece, where each is by itself: a few milliseconds. */
const NORMALIZED_AT_ONCE = 2 ** 19;

/** Reads tiles and normalises them, in memory that the model no longer needs where there is some. */
class TileReader {
  readonly #source: VolumeSource;
  readonly #options: ScoreOptions;
  readonly #spare: Float32Array[] = [];

  constructor(source: VolumeSource, options: ScoreOptions) {
    this.#source = source;
    this.#options = options;
  }

  async read(tiles: readonly Tile[], signal: AbortSignal): Promise<ReadBatch> {
    const { plan, normalize = noNormalization } = this.#options;
    const [depth, height, width] = plan.tile;
    const size = voxelCount(plan.tile);
    const spare = this.#spare.pop();
    const data = spare?.length === tiles.length * size ? spare : new Float32Array(tiles.length * size);
    for (const [i, { start }] of tiles.entries()) {
      signal.throwIfAborted();
      const voxels = data.subarray(i * size, (i + 1) * size);
      const end = [start[0] + depth, start[1] + height, start[2] + width] as const;
      await readPaddedInto(this.#source, { start, end }, voxels, { signal });
      await eventLoopTurn();
      const step = isPointwise(normalize) ? NORMALIZED_AT_ONCE : size;
      for (let from = 0; from < size; from += step) {
        const piece = voxels.subarray(from, from + step);
        const normalized = normalize(piece);
        if (normalized !== piece) piece.set(normalized);
        await eventLoopTurn();
      }
    }
    return { tiles, voxels: { data, shape: [tiles.length, depth, height, width] } };
  }

  /** Takes the memory of tiles that were scored. */
  recycle(data: Float32Array): void {
    this.#spare.push(data);
  }
}
