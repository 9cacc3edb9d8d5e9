import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { chdir, cwd } from 'node:process';
import * as ort from 'onnxruntime-node';
import * as web from 'onnxruntime-web';
import { beforeAll, describe, expect, it } from 'vitest';
import { contiguousVolume, detectParticles, type OrtModule, sourceFromArray } from '../../src/entry/index.ts';
import { loadModel } from '../../src/entry/node.ts';
import { fakeSpec } from '../support/identity-model.ts';
import { networkWithWeightsBeside, weightBytes } from '../support/onnx-bytes.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeAll(async () => {
  folder = await tempDir();
  await writeFile(join(folder, 'lonely.onnx'), 'network');
});

describe('loadModel', () => {
  it.each([
    ['an absent file', 'none.onnx', 'model not found: FOLDER/none.onnx'],
    ['a path through a file', 'lonely.onnx/none.onnx', 'model not found: FOLDER/lonely.onnx/none.onnx'],
    ['a folder', '.', 'model is a folder, expected a file: FOLDER'],
    [
      'a network without its card',
      'lonely.onnx',
      'card of model FOLDER/lonely.onnx not found: FOLDER/lonely.json; a model needs its card beside it (docs/reference/models.md)',
    ],
  ])('loadModel says what is missing: %s', async (_, name, message) => {
    await expect(loadModel(ort, join(folder, name))).rejects.toMatchObject({
      code: 'not-found',
      message: message.replaceAll('FOLDER', folder),
    });
  });
});

it('loadModel names the card that is wrong, or too long to be one', async () => {
  const network = join(folder, 'wrong.onnx');
  const path = join(folder, 'wrong.json');
  await writeFile(network, networkWithWeightsBeside({ location: 'a' }));
  for (const [card, message] of [
    ['{}', '9 fields are missing: "name", "tile", '],
    ['{', `${path} is not JSON: `],
    [`{"name":"${'a'.repeat(2 ** 24)}"}`, `${path} has 16777227 bytes; a model card has at most 16777216`],
  ] as const) {
    await writeFile(path, card);
    await expect(loadModel(ort, network)).rejects.toMatchObject({
      code: 'invalid-metadata',
      path,
      message: expect.stringContaining(message),
    });
  }
});

describe.each<[string, OrtModule]>([
  ['onnxruntime-node', ort],
  ['onnxruntime-web', web],
])('loadModel of a network with weights in another file, with %s', (_, runtime) => {
  const location = 'unet.onnx.data';

  /** Two folders with networks that refer to the same name: the weight in `v1` is 1, the one in `v2` is 2. */
  async function versions(reference = location): Promise<string> {
    const root = await tempDir();
    for (const [i, version] of ['v1', 'v2'].entries()) {
      await mkdir(dirname(join(root, version, reference)), { recursive: true });
      await writeFile(join(root, version, 'unet.onnx'), networkWithWeightsBeside({ location: reference }));
      await writeFile(
        join(root, version, 'unet.json'),
        JSON.stringify(fakeSpec({ thresholds: { object: 1 }, minDistances: { object: 1 } })),
      );
      await writeFile(join(root, version, reference), weightBytes(i + 1));
    }
    return root;
  }

  /** The weight that a network computes with, opened by its path from a folder. */
  async function weightFrom(folder: string, network: string): Promise<number> {
    const before = cwd();
    try {
      chdir(folder);
      const model = await loadModel(runtime, network);
      const { data } = await model.score({ data: new Float32Array(8).fill(1), shape: [1, 2, 2, 2] });
      await model.dispose();
      return data[0]!;
    } finally {
      chdir(before);
    }
  }

  it('loadModel takes them from beside the network, not from the working directory', async () => {
    const root = await versions();
    expect(await weightFrom(join(root, 'v1'), '../v2/unet.onnx')).toBe(2);
    expect(await weightFrom(join(root, 'v1'), join(root, 'v2', 'unet.onnx'))).toBe(2);
    expect(await weightFrom(root, 'v2/unet.onnx')).toBe(2);
    expect(await weightFrom(join(root, 'v1'), 'unet.onnx')).toBe(1);
  });

  it('loadModel takes them from a folder below that of the network', async () => {
    const root = await versions('weights/part.data');
    expect(await weightFrom(join(root, 'v1'), '../v2/unet.onnx')).toBe(2);
  });

  it('loadModel takes them from beside a link to the network, as caches of models lay them out', async () => {
    const root = await versions();
    await mkdir(join(root, 'links'));
    await symlink('../v2/unet.onnx', join(root, 'links', 'unet.onnx'));
    await symlink('../v2/unet.json', join(root, 'links', 'unet.json'));
    await symlink('../v1/unet.onnx.data', join(root, 'links', location));
    expect(await weightFrom(root, 'links/unet.onnx')).toBe(1);
  });

  it('loadModel names the file of weights that is not there, although the working directory has one', async () => {
    const root = await versions();
    await writeFile(join(root, location), weightBytes(3));
    await mkdir(join(root, 'alone'));
    await symlink('../v2/unet.onnx', join(root, 'alone', 'unet.onnx'));
    await symlink('../v2/unet.json', join(root, 'alone', 'unet.json'));
    await expect(weightFrom(root, 'alone/unet.onnx')).rejects.toMatchObject({
      code: 'not-found',
      path: 'alone/unet.onnx.data',
      message: 'file of weights of model alone/unet.onnx not found: alone/unet.onnx.data',
    });
  });

  it('loadModel refuses weights outside the folder of the network', async () => {
    const root = await versions();
    for (const outside of ['../v1/unet.onnx.data', join(root, 'v1', location)]) {
      await writeFile(join(root, 'v2', 'unet.onnx'), networkWithWeightsBeside({ location: outside }));
      const network = join(root, 'v2', 'unet.onnx');
      await expect(loadModel(runtime, network)).rejects.toMatchObject({
        code: 'model-failed',
        path: network,
        message: expect.stringContaining(
          `its weights are in ${JSON.stringify(outside)}; expected a file in the folder`,
        ),
      });
    }
  });

  it.skipIf(sharedDataMissing)(
    'loadModel computes with the weights of v2 in the folder of v1 (needs ../shared/data)',
    async () => {
      const cases = sharedData('cases/onnx-weights-of-cwd');
      const data = new Float32Array(32 ** 3);
      data[(10 * 32 + 12) * 32 + 14] = 50;
      data[(20 * 32 + 5) * 32 + 25] = -50;
      const tomogram = sourceFromArray(contiguousVolume(data, [32, 32, 32]), { voxelSize: [10, 10, 10] });
      const before = cwd();
      for (const [folder, network] of [
        ['v1', '../v2/unet.onnx'],
        ['.', 'v2/unet.onnx'],
        ['v2', 'unet.onnx'],
      ] as const) {
        try {
          chdir(join(cases, folder));
          const model = await loadModel(runtime, network);
          const picks = await detectParticles(tomogram, { model });
          await model.dispose();
          expect(picks.map(({ position }) => position)).toEqual([{ x: 140, y: 120, z: 100 }]);
        } finally {
          chdir(before);
        }
      }
    },
  );
});
