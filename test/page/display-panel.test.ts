import { expect, it } from 'vitest';
import { parseVoxelSize } from '../../src/cli/command.ts';
import { voxelSizeFrom } from '../../src/page/display-panel.ts';

it('a voxel size is read with a point or a comma, and anything else is refused', () => {
  const sizes = { '10.5': 10.5, '10,5': 10.5, ' 7 ': 7, '1000': 1000 };
  for (const [typed, size] of Object.entries(sizes)) expect(voxelSizeFrom(typed)).toBe(size);
  for (const typed of ['', ' ', '0', '-3', '10000', '1e9', '10 Å', '1,000.5', 'ten'])
    expect(voxelSizeFrom(typed), typed).toBeUndefined();
});

it('the page and the command line take the same voxel sizes', () => {
  for (const typed of ['1e-9', '0.0099', '0.01', '1', '10.012', '1000', '1000.1', '1e9']) {
    const size = voxelSizeFrom(typed);
    if (size === undefined) expect(() => parseVoxelSize(typed), typed).toThrow('from 0.01 to 1000');
    else expect(parseVoxelSize(typed)).toBe(size);
  }
});
