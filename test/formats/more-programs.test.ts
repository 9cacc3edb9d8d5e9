import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { picksFormat } from '../../src/entry/formats.ts';
import type { ParticlePick } from '../../src/entry/index.ts';
import { rotationOf } from '../../src/picks/rotation.ts';
import { samplePicks } from '../support/format-samples.ts';

type Triple = readonly [number, number, number];

interface Golden {
  readonly 'napari.csv': readonly Triple[];
  readonly 'napari_features.csv': readonly Triple[];
  readonly 'ours_napari.csv': { readonly kind: string; readonly columns: readonly string[]; readonly rows: number[][] };
  readonly cryocat: readonly { readonly position: Triple; readonly rotation: number[][] }[];
  readonly 'cryocat ours_stopgap.star': readonly CryocatRow[];
  readonly 'cryocat ours.em': readonly CryocatRow[];
}

interface CryocatRow {
  readonly row: Readonly<Record<string, number>>;
  readonly rotation: readonly (readonly number[])[];
}

const folder = new URL('../fixtures/formats/', import.meta.url);
const golden = JSON.parse(readFileSync(new URL('more.json', folder), 'utf8')) as Golden;
const options = { voxelSize: 10, run: 'TS_004', object: 'ribosome' };

function read(file: string, name: Parameters<typeof picksFormat>[0]): readonly ParticlePick[] {
  const format = picksFormat(name, options);
  const bytes = new Uint8Array(readFileSync(new URL(file, folder)));
  const runs =
    format.content === 'bytes' ? format.parse(bytes, file) : format.parse(new TextDecoder().decode(bytes), file);
  expect(runs.map(({ run }) => run)).toEqual(['TS_004']);
  return runs[0]!.picks;
}

describe('files of napari', () => {
  it.each(['napari.csv', 'napari_features.csv'] as const)(
    'files of napari %s reads as the points that were saved',
    (file) => {
      const picks = read(file, 'napari');
      expect(picks.map(({ position: { x, y, z } }) => [x, y, z])).toEqual(
        golden[file].map((p) => p.map((i) => i * 10)),
      );
      if (file === 'napari.csv') return;
      expect(picks.map(({ score }) => score)).toEqual([0, 1, 2, 3, 4, 5].map((i) => i / 8));
      expect(picks.map(({ instanceId }) => instanceId)).toEqual([undefined, 1, 2, 3, 4, 5]);
    },
  );

  it('files of napari that we write are read as points by napari, at the same places', () => {
    const { kind, columns, rows } = golden['ours_napari.csv'];
    expect([kind, columns]).toEqual(['points', ['index', 'axis-0', 'axis-1', 'axis-2']]);
    const picks = samplePicks.flatMap((run) => run.picks);
    expect(rows.map(([, z, y, x]) => [x, y, z])).toEqual(
      picks.map(({ position: { x, y, z } }) => [x, y, z].map((length) => length / 10)),
    );
  });
});

describe('files of cryoCAT', () => {
  it.each([
    ['cryocat_stopgap.star', 'stopgap', 1e-3, 1e-9],
    ['cryocat.em', 'tom', 1e-3, 1e-6],
  ] as const)(
    'files of cryoCAT %s reads as in cryoCAT: places, rotations, scores, instances',
    (file, name, length, rotation) => {
      const picks = read(file, name);
      expect(picks).toHaveLength(golden.cryocat.length);
      for (const [index, { position, transform, score, instanceId }] of picks.entries()) {
        const wanted = golden.cryocat[index]!;
        for (const [axis, value] of [position.x, position.y, position.z].entries()) {
          expect(Math.abs(value - wanted.position[axis]! * 10)).toBeLessThan(length);
        }
        const turned = rotationOf(transform)!.flat();
        for (const [cell, value] of wanted.rotation.flat().entries()) {
          expect(Math.abs(turned[cell]! - value)).toBeLessThan(rotation);
        }
        expect([score, instanceId]).toEqual([index / 8, 7]);
      }
    },
  );

  it.each(['ours_stopgap.star', 'ours.em'] as const)(
    'files of cryoCAT %s reads in cryoCAT as what was written',
    (file) => {
      const picks = samplePicks.flatMap((run, at) => run.picks.map((pick) => ({ ...pick, tomogram: at + 1 })));
      const rows = golden[`cryocat ${file}`];
      expect(rows).toHaveLength(picks.length);
      for (const [index, { position, transform, score, instanceId = 0, tomogram, object }] of picks.entries()) {
        const { row, rotation } = rows[index]!;
        for (const axis of ['x', 'y', 'z'] as const) {
          // cryoCAT counts from 1, as MATLAB does.
          expect((row[axis]! + row[`shift_${axis}`]! - 1) * 10).toBeCloseTo(position[axis], 3);
        }
        const turned = rotationOf(transform)?.flat() ?? [1, 0, 0, 0, 1, 0, 0, 0, 1];
        for (const [cell, value] of rotation.flat().entries()) expect(turned[cell]).toBeCloseTo(value, 6);
        expect([row.score, row.tomo_id, row.object_id, row.class]).toEqual([
          score,
          tomogram,
          instanceId,
          object === 'ribosome' ? 1 : 2,
        ]);
      }
    },
  );
});
