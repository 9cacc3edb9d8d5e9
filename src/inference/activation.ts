import type { Activation } from './model.ts';

/**
 * Applies an activation, in place, to scores `[class, …]` of several classes.
 *
 * @param scores - C-order, `classes` channels of equal length.
 */
export function activate(activation: Activation, scores: Float32Array, classes: number): void {
  if (activation === 'softmax') softmax(scores, classes);
  if (activation === 'sigmoid') sigmoid(scores);
}

function sigmoid(scores: Float32Array): void {
  for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scores[i]));
}

/** Over the classes, at each voxel. The greatest score is subtracted first, so that nothing overflows. */
function softmax(scores: Float32Array, classes: number): void {
  const size = scores.length / classes;
  for (let i = 0; i < size; i++) {
    let greatest = -Infinity;
    for (let k = i; k < scores.length; k += size) if (!(scores[k] <= greatest)) greatest = scores[k];
    let sum = 0;
    for (let k = i; k < scores.length; k += size) {
      const value = Math.exp(scores[k] - greatest);
      scores[k] = value;
      sum += value;
    }
    for (let k = i; k < scores.length; k += size) scores[k] /= sum;
  }
}
