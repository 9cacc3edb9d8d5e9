import { describe, expect, it } from 'vitest';
import { sourceFromArray, type VolumeSource } from '../../src/entry/index.ts';
import { openGreyVolume } from '../../src/page/grey-volume.ts';

const edge = 48;

/** Noise of −50 to 50 around 1000, except in the box of 16³ voxels in the middle; in chunks of 16³. */
function volumeAround(middle: number | undefined): VolumeSource {
  const data = new Float32Array(edge ** 3).map((_, i) => {
    const isMiddle = [i % edge, Math.floor(i / edge) % edge, Math.floor(i / edge ** 2)].every(
      (at) => at >= 16 && at < 32,
    );
    return isMiddle && middle !== undefined ? middle : 950 + ((i * 7919) % 101);
  });
  return {
    ...sourceFromArray({ data, shape: [edge, edge, edge] }, { voxelSize: [10, 10, 10] }),
    chunkShape: [16, 16, 16],
  };
}

async function rangeOf(source: VolumeSource) {
  const controller = new AbortController();
  const volume = await openGreyVolume([source], {
    focus: () => ({ x: 235, y: 235, z: 235 }),
    onBrick: () => undefined,
    onError: () => undefined,
    signal: controller.signal,
  });
  controller.abort();
  return volume;
}

describe('the window of a volume', () => {
  it.each([0, 7, Number.NaN, Number.POSITIVE_INFINITY])(
    'the window is that of the ice, although all voxels at the focus are %s',
    async (middle) => {
      const { window, range } = await rangeOf(volumeAround(middle));
      expect(window.black).toBeCloseTo(950, -1);
      expect(window.white).toBeCloseTo(1050, -1);
      expect(range.low).toBeLessThan(950);
      expect(range.high).toBeGreaterThan(1050);
    },
  );

  it('the window of a volume that is all alike lies at its value', async () => {
    const data = new Float32Array(1000).fill(3);
    const { window } = await rangeOf(sourceFromArray({ data, shape: [10, 10, 10] }, { voxelSize: [10, 10, 10] }));
    expect(window).toEqual({ black: 3, white: 3 });
  });

  it('a volume without a finite number is refused', async () => {
    const data = new Float32Array(1000).fill(Number.NaN);
    const source = sourceFromArray({ data, shape: [10, 10, 10] }, { voxelSize: [10, 10, 10] });
    await expect(rangeOf(source)).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});
