import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/entry/node.ts';
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
