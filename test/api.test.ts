import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as copick from '../src/copick/index.ts';
import * as figure from '../src/figure/index.ts';
import * as core from '../src/index.ts';
import * as node from '../src/node.ts';
import * as peaks from '../src/peaks.ts';
import * as formats from '../src/picks/formats/index.ts';
import * as simulate from '../src/simulate/index.ts';
import * as tiff from '../src/tiff/stack.ts';
import * as ndarray from '../src/volume/ndarray.ts';
import * as volumes from '../src/volumes.ts';

/** Widening or narrowing the public API must show in a diff. */
describe('the public API', () => {
  it.each([
    ['cryoet-picks', core],
    ['cryoet-picks/node', node],
    ['cryoet-picks/copick', copick],
    ['cryoet-picks/figure', figure],
    ['cryoet-picks/volumes', volumes],
    ['cryoet-picks/peaks', peaks],
    ['cryoet-picks/ndarray', ndarray],
    ['cryoet-picks/simulate', simulate],
    ['cryoet-picks/tiff', tiff],
    ['cryoet-picks/formats', formats],
  ])('%s exports what it always did', (_, entry) => {
    expect(Object.keys(entry).sort()).toMatchSnapshot();
  });

  it('has a file in the package for every entry', () => {
    const { exports, bin, files } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    const built = readFileSync(new URL('../tsup.config.ts', import.meta.url), 'utf8');
    const targets = Object.values(exports as Record<string, { default?: string }>).flatMap(
      ({ default: file }) => file ?? [],
    );
    for (const target of [...targets, bin['cryoet-picks']]) {
      expect(built).toMatch(new RegExp(`\\b${target.replace(/^(\.\/)?dist\/|\.js$/g, '')}: 'src/`));
    }
    expect(files).toEqual(expect.arrayContaining(['dist', 'models', 'NOTICE']));
  });
});
