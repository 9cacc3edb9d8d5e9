import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as copick from '../src/entry/copick.ts';
import * as figure from '../src/entry/figure.ts';
import * as formats from '../src/entry/formats.ts';
import * as core from '../src/entry/index.ts';
import * as io from '../src/entry/io.ts';
import * as ndarray from '../src/entry/ndarray.ts';
import * as node from '../src/entry/node.ts';
import * as portal from '../src/entry/portal.ts';
import * as simulate from '../src/entry/simulate.ts';

/** Widening or narrowing the public API must show in a diff. */
describe('the public API', () => {
  it.each([
    ['cryoet-picks', core],
    ['cryoet-picks/node', node],
    ['cryoet-picks/io', io],
    ['cryoet-picks/copick', copick],
    ['cryoet-picks/portal', portal],
    ['cryoet-picks/formats', formats],
    ['cryoet-picks/figure', figure],
    ['cryoet-picks/simulate', simulate],
    ['cryoet-picks/ndarray', ndarray],
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
