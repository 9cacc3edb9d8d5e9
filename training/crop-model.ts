import type { Model, Zyx } from 'cryoet-picks';

/**
 * A model for a small volume that was normalised before it was cut out: it normalises no more, and its tiles are no larger than
 * the volume, up to the next multiple of 8.
 */
export function cropModel(model: Model, shape: Zyx): Model {
  const fitting = (edge: number, axis: 0 | 1 | 2) => Math.min(edge, Math.ceil(shape[axis] / 8) * 8);
  const [z, y, x] = model.spec.tile;
  return {
    spec: { ...model.spec, tile: [fitting(z, 0), fitting(y, 1), fitting(x, 2)], normalization: 'none' },
    score: (tiles, options) => model.score(tiles, options),
    dispose: () => model.dispose(),
  };
}
