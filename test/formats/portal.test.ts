import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  detectPicksFormat,
  imodFormat,
  picksFormat,
  relion3Format,
  relion4Format,
  stopgapFormat,
} from '../../src/entry/formats.ts';
import type { ParticlePick, PicksFormat, RunPicks } from '../../src/entry/index.ts';
import { eulerFromRotation, rotationFromEuler, rotationOf } from '../../src/picks/rotation.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';

// Numbers of the portal's own tests of these files (chanzuckerberg/cryoet-data-portal-backend, test_annotations.py).
const half = Math.SQRT1_2;

function textOf(file: string): string {
  return readFileSync(sharedData(`fixtures/portal/20002/annotations/${file}`), 'utf8');
}

function bytesOf(file: string): Uint8Array {
  return new Uint8Array(readFileSync(sharedData(`fixtures/portal/20002/annotations/${file}`)));
}

function positionsOf(runs: readonly RunPicks[]): [string, number[][]][] {
  return runs.map(({ run, picks }) => [run, picks.map(({ position: { x, y, z } }) => [x, y, z].map(rounded))]);
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6 + 0;
}

function rotation(pick: ParticlePick | undefined): number[][] | undefined {
  return rotationOf(pick?.transform)?.map((row) => row.map(rounded));
}

describe.skipIf(sharedDataMissing)('files of the data portal (needs ../shared/data)', () => {
  // In voxels: the portal's numbers times its binning.
  const relionPositions = [
    [
      [5.2, 10.4, 15.2],
      [0.8, 1.6, 2.8],
    ],
    [
      [7, 6, 5],
      [-3, 4, -1],
      [8, 1, 2],
    ],
    [[1, 0, -1]],
  ];
  const turned = [
    [0, -half, half],
    [1, 0, 0],
    [0, half, half],
  ].map((row) => row.map(rounded));

  const relion: readonly (readonly [file: string, format: PicksFormat, runs: readonly string[]])[] = [
    [
      'relion_3_star.star',
      relion3Format({ voxelSize: 1, object: 'a' }),
      ['tomo_1.tomostar', 'tomo_2.tomostar', 'tomo_3.tomostar'],
    ],
    [
      'tomoman_relion_star.star',
      relion3Format({ voxelSize: 1, object: 'a' }),
      ['grid_1_lamella1_pos1', 'grid_1_lamella1_pos2', 'grid_1_lamella1_pos3'],
    ],
    ['relion_4_star.star', relion4Format({ voxelSize: 1, object: 'a' }), ['TS_001', 'TS_002', 'TS_003']],
  ];

  it.each(relion)('a STAR file of the data portal reads as the portal reads it: %s', (file, format, runs) => {
    const found = format.parse(textOf(file), file);
    expect(positionsOf(found)).toEqual(runs.map((run, index) => [run, relionPositions[index]]));
    expect(rotation(found[0]?.picks[0])).toEqual(turned);
    expect(rotation(found[1]?.picks[2])).toEqual([
      [0, 0, 1],
      [0, 1, 0],
      [-1, 0, 0],
    ]);
    expect(found[2]?.picks[0]?.transform).toBeUndefined();
  });

  it.each([
    ['relion_3_star.star', 1.7005],
    ['tomoman_relion_star.star', 1.96],
  ])('%s has its own pixel size', (file, pixelSize) => {
    const [first] = relion3Format({ object: 'a' }).parse(textOf(file), file);
    expect(first?.picks[0]?.position.x).toBeCloseTo(5.2 * pixelSize, 9);
  });

  it('relion_4_star.star has no pixel size of the tilt series, and is not read with another', () => {
    expect(() => relion4Format({ object: 'a' }).parse(textOf('relion_4_star.star'), 'a.star')).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        message: expect.stringContaining('give the option voxelSize, in Å'),
      }),
    );
  });

  it('stopgap_star.star reads as the portal reads it, which counts voxels from 0', () => {
    const found = stopgapFormat({ voxelSize: 1, object: 'a', firstVoxel: 0 }).parse(textOf('stopgap_star.star'), 's');
    expect(positionsOf(found)).toEqual([
      [
        '1',
        [
          [2.8, 5.6, 8.8],
          [7.2, 6.4, 5.2],
        ],
      ],
      [
        '2',
        [
          [5, 2, -1],
          [3, 8, 1],
          [8, 7, 2],
        ],
      ],
      ['3', [[5, 4, 3]]],
    ]);
    expect(rotation(found[0]?.picks[0])).toEqual(
      [
        [0, 1, 0],
        [-half, 0, half],
        [half, 0, half],
      ].map((row) => row.map(rounded)),
    );
    expect(found.flatMap(({ picks }) => picks.map(({ score, instanceId }) => [score, instanceId]))).toEqual([
      [0.1816, 1],
      [0.1704, 1],
      ...Array.from({ length: 3 }, () => [0.1704, 2]),
      [0.1704, 3],
    ]);
  });

  it('points.mod reads as the portal reads it, and as IMOD places its voxels', () => {
    const options = { run: 'a', object: 'a', voxelSize: 1 };
    const read = (voxelCentre: 'half' | 'whole') =>
      imodFormat({ ...options, voxelCentre }).parse(bytesOf('points.mod'), 'm');
    expect(positionsOf(read('whole'))).toEqual([
      [
        'a',
        [
          [1, 2, 3],
          [2, 2, 2],
          [0, 3, 0],
        ],
      ],
    ]);
    expect(positionsOf(read('half'))).toEqual([
      [
        'a',
        [
          [0.5, 1.5, 3],
          [1.5, 1.5, 2],
          [-0.5, 2.5, 0],
        ],
      ],
    ]);
  });

  it('oriented_points.mod reads with its own pixel size of 1.6145 nm', () => {
    const [found] = imodFormat({ run: 'a', object: 'a', voxelCentre: 'whole' }).parse(
      bytesOf('oriented_points.mod'),
      'm',
    );
    expect(found?.picks).toHaveLength(4);
    // The point; the centre of the slicer, which the portal takes, is a fraction of a voxel beside it.
    expect(found?.picks[0]?.position.x).toBeCloseTo(235.4216 * 16.1454, 1);
    expect(found?.picks[0]?.position.z).toBeCloseTo(301.9547 * 16.1454, 1);
  });

  const threePoints = [
    [1, 2, 3],
    [2, 2, 2],
    [0, 3, 0],
  ];
  it.each([
    ['points.csv'],
    ['points_tab_delim.csv'],
    ['points_with_header_pipe_delim.csv'],
    ['points_with_header.csv'],
  ])('points of the data portal read from any table: %s', (file) => {
    const text = textOf(file);
    const name = detectPicksFormat(file, text);
    expect(name).toBe(file === 'points_with_header.csv' ? 'csv' : 'points');
    const format = picksFormat(name, { run: 'a', object: 'a', voxelSize: 1 }) as PicksFormat;
    expect(positionsOf(format.parse(text, file))).toEqual([['a', threePoints]]);
  });

  it('tardis.csv, whose columns are in Å, reads with its instances', () => {
    const text = textOf('tardis.csv');
    const format = picksFormat(detectPicksFormat('tardis.csv', text), { run: 'a', object: 'a' }) as PicksFormat;
    const found = format.parse(text, 'tardis.csv');
    expect(positionsOf(found)).toEqual([
      [
        'a',
        [
          [4, 8, 12],
          [4, 4, 4],
          [6, 4, 2],
          [0, 6, 0],
          [8, 4, 2],
          [3, 2, 1],
        ],
      ],
    ]);
    expect(found[0]?.picks.map(({ instanceId }) => instanceId)).toEqual([undefined, undefined, 1, 1, 1, 2]);
  });

  it.each([
    ['copick.json', 'a', 4],
    ['copick_instance.json', 'Position_94_Vol', undefined],
  ])('a copick file of the data portal reads as one: %s', (file, run, count) => {
    const text = textOf(file);
    expect(detectPicksFormat(file, text)).toBe('copick');
    const found = (picksFormat('copick', { run: 'a' }) as PicksFormat).parse(text, file);
    expect(found.map((one) => one.run)).toEqual([run]);
    if (count === undefined) return;
    expect(found[0]?.picks).toHaveLength(count);
    // The second point of the file is the second of the STAR files above, turned alike.
    const angles = eulerFromRotation(rotationOf(found[0]?.picks[1]?.transform)!, 'relion');
    for (const [index, angle] of rotationFromEuler([-45, 90, 120], 'relion').flat().entries()) {
      expect(rotationFromEuler(angles, 'relion').flat()[index]).toBeCloseTo(angle, 12);
    }
  });
});
