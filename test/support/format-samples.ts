import type { FormatOptions, PicksFormatName } from '../../src/entry/formats.ts';
import type { RunPicks } from '../../src/entry/index.ts';
import { rotationFromEuler, transformOf } from '../../src/picks/rotation.ts';

/** Picks that single precision holds, of two runs and two objects. */
export const samplePicks: readonly RunPicks[] = [
  {
    run: 'TS_001',
    picks: [
      {
        object: 'ribosome',
        position: { x: 1000, y: 245, z: 512.5 },
        score: 0.75,
        instanceId: 3,
        transform: transformOf(rotationFromEuler([20, 35, -70], 'tom')),
      },
      { object: 'apo-ferritin', position: { x: 0, y: 10, z: 20 }, score: 0.5 },
    ],
  },
  {
    run: 'TS_002',
    picks: [
      {
        object: 'ribosome',
        position: { x: 2500, y: 3000.25, z: 40 },
        score: 0.25,
        transform: transformOf(rotationFromEuler([-120, 165, 30], 'tom')),
      },
    ],
  },
];

/** The files under `test/fixtures/formats` that Python's readers were shown, and how they were written. */
export const sampleFiles: readonly (readonly [file: string, format: PicksFormatName, options: FormatOptions])[] = [
  ['ours.tbl', 'dynamo', { voxelSize: 10 }],
  ['ours.em', 'tom', { voxelSize: 10 }],
  ['ours.mod', 'imod', { voxelSize: 10, shape: [64, 400, 500] }],
  ['ours_relion3.star', 'relion3', { voxelSize: 10 }],
  ['ours_relion4.star', 'relion4', { voxelSize: 2 }],
  ['ours_relion5.star', 'relion5', { voxelSize: 10, shape: [64, 401, 500] }],
  ['ours_stopgap.star', 'stopgap', { voxelSize: 10 }],
  ['ours_napari.csv', 'napari', { voxelSize: 10 }],
];
