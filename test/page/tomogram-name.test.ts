import { describe, expect, it } from 'vitest';
import { volumeFormatOf } from '../../src/entry/copick.ts';
import { tomogramNameOf } from '../../src/page/tomogram-name.ts';

describe('tomogramNameOf', () => {
  it('names of files lose all endings of files, and nothing else', () => {
    for (const ending of 'mrc mrcs rec map st ccp4 tif tiff zarr ome.zarr ozx MRC mrc.gz rec.mrc ome.zarr.zip'.split(
      ' ',
    )) {
      expect(tomogramNameOf(`TS_5.4.${ending}`)).toBe('TS_5.4');
    }
    for (const name of ['TS_5.4', 'zarr', '.mrc', 'a.mrc.bak', '']) expect(tomogramNameOf(name)).toBe(name);
  });

  it('names of every format that is known lose their endings', () => {
    const endings = ['mrc', 'mrcs', 'rec', 'map', 'ccp4', 'tif', 'tiff', 'zarr', 'ozx', 'zarr.zip', 'rec.gz'];
    for (const name of endings.map((one) => `a.${one}`)) {
      expect(volumeFormatOf(name)).toBeDefined();
      expect(tomogramNameOf(name)).toBe('a');
    }
  });
});
