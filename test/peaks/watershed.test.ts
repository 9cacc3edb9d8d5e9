import { describe, expect, it } from 'vitest';
import type { Zyx } from '../../src/entry/index.ts';
import { watershed } from '../../src/peaks/watershed.ts';
import golden from '../fixtures/splitting.json' with { type: 'json' };

describe('watershed', () => {
  it.each(golden.floods)(
    'watershed agrees with scikit-image on a relief of $shape, voxel by voxel',
    ({ shape, heights, markers, labels }) => {
      const found = watershed({ heights: Float32Array.from(heights), shape: shape as unknown as Zyx }, markers);
      expect([...found]).toEqual(labels);
    },
  );

  it('watershed labels no voxel that no marker reaches over faces', () => {
    const heights = Float32Array.from([1, 0, 1, 0, 1, 0]);
    expect([...watershed({ heights, shape: [1, 2, 3] }, [0])]).toEqual([1, 0, 0, 0, 0, 0]);
  });

  it('watershed shares a plateau between two markers by distance over faces, the first marker first', () => {
    const heights = new Float32Array(5).fill(2);
    expect([...watershed({ heights, shape: [1, 1, 5] }, [0, 4])]).toEqual([1, 1, 1, 2, 2]);
  });
});
