import { expect, it } from 'vitest';
import { formatPicksFile, parseConfig, parseFilamentsFile, parsePicksFile } from '../../src/entry/copick.ts';
import { picksFormat } from '../../src/entry/formats.ts';
import { memoryStore, openTomogram } from '../../src/entry/index.ts';

const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

it('formatPicks throws for picks with an unknown key that is nested too deeply, and parsePicks reads them', () => {
  const file = parsePicksFile(`{"pickable_object_name": "virus", "points": [], "x": ${deep}}`, { source: 'a.json' });
  expect(() => formatPicksFile(file)).toThrow(
    expect.objectContaining({
      code: 'invalid-picks',
      message: 'the picks file of "virus" has an unknown key whose value is nested too deeply to be written',
    }),
  );
});

it('parsers of configs, filaments files and EMAN2 boxes throw if they are nested too deeply', () => {
  const config = `{"pickable_objects": [], "overlay_root": "o", "x": ${deep}}`;
  const message = expect.stringMatching(/^.* is nested too deeply: more than 200 levels$/);
  expect(() => parseConfig(config, { source: 'a.json' })).toThrow(
    expect.objectContaining({ code: 'invalid-config', message }),
  );
  const picks = expect.objectContaining({ code: 'invalid-picks', message });
  expect(() => parseFilamentsFile(`{"x": ${deep}}`, { source: 'a.json' })).toThrow(picks);
  const eman2 = picksFormat('eman2', { voxelSize: 10, run: 'r', object: 'virus' });
  expect(() => eman2.parse(`{"boxes_3d": [${deep}]}` as never, 'a.json')).toThrow(picks);
});

it('readers of image metadata throw if the metadata are nested too deeply', async () => {
  for (const key of ['/zarr.json', '/.zattrs', '/0/.zarray'] as const) {
    const store = memoryStore([[key, new TextEncoder().encode(`{"zarr_format": 3, "fill_value": ${deep}}`)]]);
    await expect(openTomogram(store)).rejects.toMatchObject({ code: 'invalid-metadata' });
  }
});
