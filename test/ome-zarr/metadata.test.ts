import { describe, expect, it } from 'vitest';
import { readMultiscales } from '../../src/ome-zarr/metadata.ts';

const zyx = (unit?: string) => ['z', 'y', 'x'].map((name) => ({ name, type: 'space', ...(unit ? { unit } : {}) }));
const scaled = (...scale: number[]) => [{ type: 'scale', scale }];

function read(image: object) {
  return readMultiscales({ multiscales: [{ version: '0.4', ...image }] }, '/.zattrs of memory');
}

describe('readMultiscales', () => {
  it.each([
    [undefined, 1],
    ['angstrom', 1],
    ['Angstrom', 1],
    ['nanometer', 10],
    ['nm', 10],
    ['micrometer', 1e4],
    ['micrometre', 1e4],
    ['µm', 1e4],
    ['picometer', 0.01],
    ['millimeter', 1e7],
    ['meter', 1e10],
  ])('readMultiscales converts %s to Å', (unit, factor) => {
    const image = read({
      axes: zyx(unit),
      datasets: [
        { path: '0', coordinateTransformations: [...scaled(1, 2, 3), { type: 'translation', translation: [4, 5, 6] }] },
      ],
    });
    expect(image?.levels).toEqual([
      { path: '0', scale: [factor, 2 * factor, 3 * factor], translation: [4 * factor, 5 * factor, 6 * factor] },
    ]);
  });

  it('readMultiscales takes the unit under the name units, which some writers give it', () => {
    const axes = zyx().map((axis) => ({ ...axis, units: 'nanometer' }));
    const image = read({ axes, datasets: [{ path: '0', coordinateTransformations: scaled(1.0012, 1.0012, 1.0012) }] });
    expect(image?.levels[0]?.scale).toEqual([10.012, 10.012, 10.012]);
  });

  it.each([' ', 'pixel', 'furlong', 'constructor', '__proto__', 'toString'])(
    'readMultiscales leaves lengths as they are in the unknown unit "%s", and tells it',
    (unit) => {
      const image = read({ axes: zyx(unit), datasets: [{ path: '0', coordinateTransformations: scaled(10, 10, 10) }] });
      expect(image?.unknownUnit).toEqual({ name: 'z', unit });
      expect(image?.levels[0]?.scale).toEqual([10, 10, 10]);
    },
  );

  it('readMultiscales applies the transforms of a level first, then those of all levels', () => {
    const image = read({
      axes: zyx('angstrom'),
      datasets: [
        {
          path: 's0',
          coordinateTransformations: [...scaled(1, 2, 3), { type: 'translation', translation: [10, 20, 30] }],
        },
      ],
      coordinateTransformations: [
        { type: 'identity' },
        ...scaled(2, 2, 10),
        { type: 'translation', translation: [1, 1, 1] },
      ],
    });
    expect(image?.levels).toEqual([{ path: 's0', scale: [2, 4, 30], translation: [21, 41, 301] }]);
  });

  it('readMultiscales leaves the scale undefined if the metadata give none', () => {
    const image = read({ axes: zyx(), datasets: [{ path: '0' }] });
    expect(image?.levels).toEqual([{ path: '0', scale: undefined, translation: [0, 0, 0] }]);
  });

  it.each([
    ['names alone, as in 0.3', ['Z', 'y', 'x'], ['z', 'y', 'x']],
    ['none, as in 0.1', undefined, ['t', 'c', 'z', 'y', 'x']],
  ])('readMultiscales reads axes: %s', (_, axes, names) => {
    const image = read({ axes, datasets: [{ path: '0' }] });
    expect(image?.axes.map(({ name }) => name)).toEqual(names);
  });

  it('readMultiscales returns undefined without multiscales', () => {
    expect(readMultiscales({}, 'x')).toBeUndefined();
    expect(readMultiscales(null, 'x')).toBeUndefined();
    expect(readMultiscales(undefined, 'x')).toBeUndefined();
  });

  it.each<[string, object, string, RegExp]>([
    [
      'an axis of two units',
      { axes: [...zyx().slice(1), { name: 'z', unit: 'angstrom', units: 'nanometer' }], datasets: [{ path: '0' }] },
      'invalid-metadata',
      /axis "z" has the unit "angstrom" and the units "nanometer"/,
    ],
    [
      'coordinate systems in place of axes, as in drafts of 0.6',
      { coordinateSystems: [{ name: 'physical', axes: zyx('nanometer') }], datasets: [{ path: '0' }] },
      'unsupported',
      /coordinate systems \(version "0\.4"\); expected axes/,
    ],
    ['no level', { axes: zyx(), datasets: [] }, 'invalid-metadata', /"0.datasets"/],
    [
      'a level outside',
      { axes: zyx(), datasets: [{ path: '../1' }] },
      'invalid-metadata',
      /"0.datasets.0.path": expected a path inside the image/,
    ],
    [
      'a level path with an empty name',
      { axes: zyx(), datasets: [{ path: 'a//b' }] },
      'invalid-metadata',
      /"0.datasets.0.path": expected a path inside the image, of names between single slashes/,
    ],
    ['a level without a path', { axes: zyx(), datasets: [{}] }, 'invalid-metadata', /"0.datasets.0.path"/],
    [
      'a scale of zero',
      { axes: zyx(), datasets: [{ path: '0', coordinateTransformations: scaled(0, 1, 1) }] },
      'invalid-metadata',
      /scale/,
    ],
    [
      'a scale of text',
      { axes: zyx(), datasets: [{ path: '0', coordinateTransformations: [{ type: 'scale', scale: ['1', 1, 1] }] }] },
      'invalid-metadata',
      /scale/,
    ],
    [
      'too few numbers',
      { axes: zyx(), datasets: [{ path: '0', coordinateTransformations: scaled(1, 1) }] },
      'invalid-metadata',
      /level "0" of \/.zattrs of memory: scale has 2 numbers for 3 axes/,
    ],
    [
      'an axis twice',
      { axes: ['z', 'y', 'y'], datasets: [{ path: '0' }] },
      'invalid-metadata',
      /axes z, y, y are not distinct/,
    ],
    [
      'an affine transform',
      { axes: zyx(), datasets: [{ path: '0', coordinateTransformations: [{ type: 'affine' }] }] },
      'unsupported',
      /transform "affine"/,
    ],
    [
      'a scale kept in a file',
      { axes: zyx(), datasets: [{ path: '0', coordinateTransformations: [{ type: 'scale', path: 'x' }] }] },
      'unsupported',
      /transform "scale" without numbers/,
    ],
  ])('readMultiscales throws for %s', (_, image, code, message) => {
    let failure: unknown;
    try {
      read(image);
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
