import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chdir, cwd } from 'node:process';
import * as ort from 'onnxruntime-node';
import * as web from 'onnxruntime-web';
import { describe, expect, it } from 'vitest';
import { type DisposableModel, type OrtModule, onnxModel } from '../../src/entry/index.ts';
import { fakeSpec } from '../support/identity-model.ts';
import { networkWithWeightsBeside, networkWithWeightsInBranch, weightBytes } from '../support/onnx-bytes.ts';
import { tempDir } from '../support/temp-dir.ts';

const spec = fakeSpec({ name: 'tiny', tile: [2, 2, 2] });
const location = 'unet.onnx.data';

/** What the network makes of a voxel of 1: its weight. */
async function weightOf(opening: Promise<DisposableModel>): Promise<number> {
  const model = await opening;
  const { data } = await model.score({ data: new Float32Array(8).fill(1), shape: [1, 2, 2, 2] });
  await model.dispose();
  return data[0]!;
}

describe.each<[string, OrtModule]>([
  ['onnxruntime-node', ort],
  ['onnxruntime-web', web],
])('weights in another file, with %s', (_, runtime) => {
  it.each([
    ['of the whole file', { location }, weightBytes(3)],
    ['of a part of the file', { location, offset: '4', length: '4' }, [...weightBytes(9), ...weightBytes(3), 7]],
    ['from an offset to the end', { location, offset: '4' }, [...weightBytes(9), ...weightBytes(3)]],
    ['by a path with a superfluous segment', { location: `./${location}` }, weightBytes(3)],
  ])('onnxModel computes with the bytes that were given: %s', async (_, reference, file) => {
    const externalData = [{ path: location, data: Uint8Array.from(file) }];
    expect(await weightOf(onnxModel(runtime, networkWithWeightsBeside(reference), { spec, externalData }))).toBe(3);
  });

  it('onnxModel takes weights as an ArrayBuffer, with a network as an ArrayBuffer', async () => {
    const network = networkWithWeightsBeside({ location }).slice().buffer;
    const externalData = [{ path: location, data: weightBytes(5).slice().buffer }];
    expect(await weightOf(onnxModel(runtime, network, { spec, externalData }))).toBe(5);
  });

  it('onnxModel finds weights in the branch of a condition', async () => {
    const externalData = [{ path: location, data: weightBytes(7) }];
    expect(await weightOf(onnxModel(runtime, networkWithWeightsInBranch({ location }), { spec, externalData }))).toBe(
      7,
    );
  });

  it('onnxModel refuses weights that were not given, although the working directory has a file of that name', async () => {
    const before = cwd();
    const folder = await tempDir();
    await writeFile(join(folder, location), weightBytes(3));
    try {
      chdir(folder);
      for (const network of [networkWithWeightsBeside({ location }), networkWithWeightsInBranch({ location })]) {
        await expect(onnxModel(runtime, network, { spec })).rejects.toMatchObject({
          code: 'invalid-option',
          option: 'externalData',
          available: [],
          message:
            'model "tiny" has weights in another file, "unet.onnx.data", which was not given; pass its bytes as ' +
            'externalData: [{ path: "unet.onnx.data", data }]',
        });
      }
    } finally {
      chdir(before);
    }
  });
});

it.each([
  ['/etc/passwd'],
  ['../unet.onnx.data'],
  ['weights/../../unet.onnx.data'],
  ['..\\unet.onnx.data'],
  ['C:\\unet.onnx.data'],
  ['\\\\server\\unet.onnx.data'],
  ['file:///etc/passwd'],
  ['unet\0.data'],
  ['.'],
  [''],
  [undefined],
])('onnxModel refuses weights outside the folder of the network: %j', async (location) => {
  const externalData = [{ path: location ?? '', data: weightBytes(3) }];
  await expect(onnxModel(ort, networkWithWeightsBeside({ location }), { spec, externalData })).rejects.toMatchObject({
    code: 'model-failed',
    message: `model "tiny": its weights are in ${JSON.stringify(location ?? '')}; expected a file in the folder of the network, or in one below it`,
  });
});

it.each([
  [{ location, offset: '2' }, '"unet.onnx.data" has 4 bytes, but the bytes 2 to 6 of it hold tensor "w"', '4'],
  [{ location, offset: '8' }, '"unet.onnx.data" has 4 bytes, but the bytes 8 to 12 of it hold tensor "w"', '4'],
  [{ location, offset: '-4' }, 'tensor "w" has offset "-4" in its file of weights; expected a number of bytes', '4'],
  [{ location }, 'tensor "w" has length "9e99" in its file of weights; expected a number of bytes', '9e99'],
])('onnxModel refuses weights that cannot be where the network says: %j', async (reference, message, length) => {
  const network = networkWithWeightsBeside({ ...reference, length });
  const externalData = [{ path: location, data: weightBytes(3) }];
  await expect(onnxModel(ort, network, { spec, externalData })).rejects.toMatchObject({
    code: 'model-failed',
    message: expect.stringContaining(message),
  });
});

it('onnxModel refuses a path of weights that is not UTF-8', async () => {
  const network = Buffer.from(networkWithWeightsBeside({ location: 'unet-é.data' }));
  network[network.indexOf('é') + 1] = '('.charCodeAt(0);
  const externalData = [{ path: location, data: weightBytes(3) }];
  await expect(onnxModel(ort, network, { spec, externalData })).rejects.toMatchObject({
    code: 'model-failed',
    message: 'model "tiny": where its weights are is not UTF-8 text',
  });
});

it('onnxModel refuses weights for a network that it was given by its path, whose weights the runtime reads', async () => {
  const externalData = [{ path: location, data: weightBytes(3) }];
  await expect(onnxModel(ort, 'unet.onnx', { spec, externalData })).rejects.toMatchObject({
    code: 'invalid-option',
    option: 'externalData',
  });
});

it('onnxModel passes bytes that are no network to the runtime, which says so', async () => {
  const network = networkWithWeightsBeside({ location });
  const broken = [
    Uint8Array.of(0),
    network.subarray(0, -1),
    randomBytes(1000),
    Uint8Array.from({ length: 500 }, () => 0x3b),
  ];
  const externalData = [{ path: location, data: weightBytes(3) }];
  for (const bytes of broken) {
    await expect(onnxModel(ort, bytes, { spec, externalData })).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringContaining(`cannot load model "tiny" from ${bytes.length} bytes: `),
    });
  }
});
