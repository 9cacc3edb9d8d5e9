import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  formatConfig,
  type ProjectConfig,
  parseConfig,
  parsePicksFile,
  projectFromStores,
} from '../../src/entry/copick.ts';
import { isCryoetPicksError, memoryStore, openTomogram } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf } from '../support/volumes.ts';

const names = [
  ...[
    '..',
    '.',
    '../x',
    '../../x',
    'a/../../x',
    '/etc/x',
    '/',
    'a/b',
    '..\\x',
    'C:\\x',
    '\\\\host\\x',
    '\0',
    'a\0b',
    '',
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '~',
    '~/x',
    '%2e%2e%2fx',
    '..%2fx',
    'file:///x',
    'a\nb',
    '-',
  ],
];

let folder: string;
let root: string;

beforeEach(async () => {
  folder = await tempDir();
  root = join(folder, 'root');
  await mkdir(root);
  await writeFile(join(folder, 'outside'), 'untouched');
});

/** Runs something that may refuse, with an error of this library. */
async function orRefuse(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isCryoetPicksError(error)) throw error;
  }
}

async function expectUntouched(): Promise<void> {
  expect((await readdir(folder)).sort()).toEqual(['outside', 'root']);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect('polluted' in {}).toBe(false);
}

function configOf(name: string): ProjectConfig {
  const objects = [
    { name, is_particle: true, label: 1 },
    { name: 'virus', is_particle: true, label: 2 },
  ];
  return parseConfig(JSON.stringify({ pickable_objects: objects, overlay_root: 'o' }), { source: 'copick.json' });
}

const labels = sourceOf(new Float32Array(8).fill(1), [2, 2, 2]);
const pickOf = (object: string) => ({ object, position: { x: 1, y: 2, z: 3 }, score: 1 });

describe.each(names)('the name %j', (name) => {
  it('a hostile name leads nowhere out of the project, whatever it names', async () => {
    const store = directoryStore(root);
    const project = projectFromStores({ config: configOf('ribosome'), overlay: store });
    const run = await project.createRun('TS_1');
    const who = { userId: name, sessionId: name };
    await orRefuse(() => project.createRun(name));
    await orRefuse(() => project.run(name));
    await orRefuse(() => run.writePicks([pickOf('virus')], who));
    await orRefuse(() => run.writePicks([pickOf(name)], { userId: 'me', sessionId: '1' }));
    await orRefuse(() =>
      run.writePicks([], { userId: 'me', sessionId: '1', objects: [name], ifVersion: { [name]: null } }),
    );
    await orRefuse(() => run.writeSegmentation(labels, { ...who, name }));
    await orRefuse(() => run.writeTomogram(labels, { type: name }));
    await orRefuse(() => run.writeMesh(new Uint8Array(4), { ...who, object: name }));
    await orRefuse(() => run.tomogram(name));
    await orRefuse(() => run.picks({ object: name, userId: name }));
    await orRefuse(async () => project.object(name));
    await expectUntouched();
  });

  it('a hostile name of an object in the config leads nowhere out of the project', async () => {
    await orRefuse(async () => {
      const config = configOf(name);
      parseConfig(formatConfig(config), { source: 'again' });
      const project = projectFromStores({ config, overlay: directoryStore(root) });
      const run = await project.createRun('TS_1');
      await run.writePicks([pickOf(name)], { userId: 'me', sessionId: '1' });
      await project.writeObjectMap(labels, { object: name });
    });
    await expectUntouched();
  });

  it('a hostile name as the path of a level leads nowhere out of an image', async () => {
    const axes = ['z', 'y', 'x'].map((axis) => ({ name: axis, type: 'space' }));
    const multiscales = [{ version: '0.4', axes, datasets: [{ path: name, coordinateTransformations: [] }] }];
    const json = JSON.stringify({ multiscales });
    await writeFile(join(root, '.zattrs'), json);
    await writeFile(join(folder, '.zarray'), '{}');
    await orRefuse(() => openTomogram(directoryStore(root), { fallbackVoxelSize: 10 }));
    const memory = memoryStore([['/.zattrs', new TextEncoder().encode(json)]]);
    await orRefuse(() => openTomogram(memory, { fallbackVoxelSize: 10 }));
    await rm(join(folder, '.zarray'));
    await expectUntouched();
  });

  it('a hostile name as a key of a file is only a key', async () => {
    const key = JSON.stringify(name);
    const text = `{"pickable_object_name": "virus", "points": [{"location": {"x": 1, "y": 2, "z": 3}, ${key}: {"polluted": 1}}], ${key}: {"polluted": 1}}`;
    const { picks } = parsePicksFile(text, { source: 'fuzz' });
    expect(picks).toHaveLength(1);
    await orRefuse(async () =>
      formatConfig(
        parseConfig(`{"pickable_objects": [], "overlay_root": "o", ${key}: {"polluted": 1}}`, { source: 'c' }),
      ),
    );
    await expectUntouched();
  });
});
