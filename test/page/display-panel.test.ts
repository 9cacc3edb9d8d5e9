import { expect, it } from 'vitest';
import { voxelSizeFrom } from '../../src/page/display-panel.ts';

it('a voxel size is read with a point or a comma, and anything else is refused', () => {
  const sizes = { '10.5': 10.5, '10,5': 10.5, ' 7 ': 7, '1000': 1000 };
  for (const [typed, size] of Object.entries(sizes)) expect(voxelSizeFrom(typed)).toBe(size);
  for (const typed of ['', ' ', '0', '-3', '10000', '1e9', '10 Å', '1,000.5', 'ten'])
    expect(voxelSizeFrom(typed), typed).toBeUndefined();
});
