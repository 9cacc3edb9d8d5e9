import { describe, expect, it } from 'vitest';
import { memoryStore, openTomogram } from '../../src/entry/index.ts';
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts';

const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
const shape = [2, 2, 2];
const chunk = ['/0/0/0', new Uint8Array(8)] as const;

forbidUnhandledRejections();

describe('an array with two codecs that are unknown', () => {
  it.each([
    [
      'Zarr v2',
      '/.zarray',
      {
        zarr_format: 2,
        shape,
        chunks: shape,
        dtype: '|u1',
        compressor: { id: 'two' },
        filters: [{ id: 'one' }],
        fill_value: 0,
        order: 'C',
        dimension_separator: '/',
      },
    ],
    [
      'Zarr v3',
      '/zarr.json',
      {
        zarr_format: 3,
        node_type: 'array',
        shape,
        data_type: 'uint8',
        chunk_grid: { name: 'regular', configuration: { chunk_shape: shape } },
        chunk_key_encoding: { name: 'v2', configuration: { separator: '/' } },
        fill_value: 0,
        codecs: [{ name: 'bytes' }, { name: 'one' }, { name: 'two' }],
      },
    ],
  ] as const)('read throws for two unknown codecs and leaves no rejection unhandled: %s', async (_, key, document) => {
    const tomogram = await openTomogram(memoryStore([[key, json(document)], chunk]), { fallbackVoxelSize: 10 });
    await expect(tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/codec "(numcodecs\.)?(one|two)" is not supported/),
    });
  });
});
