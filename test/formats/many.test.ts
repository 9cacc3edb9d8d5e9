import { describe, expect, it } from 'vitest';
import { eman2Format, relion4Format } from '../../src/entry/formats.ts';

// Each takes seconds at most; work that grows with the square of the number takes longer than a test may.
describe('files of very many classes and groups', () => {
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

  it('EMAN2 of 300,000 objects is written in a time that grows with their number', () => {
    const picks = upTo(300_000).map((i) => ({ object: `object-${i}`, position: { x: 1, y: 2, z: 3 }, score: 1 }));
    const text = eman2Format({ voxelSize: 1 }).format([{ run: 'TS_1', picks }]);
    expect(JSON.parse(text).boxes_3d.at(-1).at(-1)).toBe(299_999);
  });

  it('RELION of 40,000 optics groups is read in a time that grows with their number', () => {
    const numbers = upTo(40_000);
    const optics = numbers.map((i) => `${i} 2.5`).join('\n');
    const rows = numbers.map((i) => `TS_1 1 2 3 ${i}`).join('\n');
    const text =
      `data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n${optics}\n\n` +
      'data_particles\n\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnOpticsGroup\n' +
      `${rows}\n`;
    const [run] = relion4Format({ object: 'ribosome' }).parse(text, 'a.star');
    expect(run!.picks.at(-1)!.position).toEqual({ x: 2.5, y: 5, z: 7.5 });
  });
});
