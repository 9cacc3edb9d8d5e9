import { expect, it } from 'vitest';
import { parseConfig } from '../../src/copick/config.ts';
import { formatConfig } from '../../src/copick/format-config.ts';
import { formatPicksFile } from '../../src/copick/format-picks.ts';
import { parsePicksFile } from '../../src/copick/picks.ts';

const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

it('refuses to write picks with an unknown key that is nested too deeply, and reads them', () => {
  const file = parsePicksFile(`{"pickable_object_name": "virus", "points": [], "x": ${deep}}`, { source: 'a.json' });
  expect(() => formatPicksFile(file)).toThrow(
    expect.objectContaining({
      code: 'invalid-picks',
      message: 'the picks file of "virus" holds an unknown key whose value is nested too deeply to be written',
    }),
  );
});

it('refuses to write a config with an unknown key that is nested too deeply, and reads it', () => {
  const config = parseConfig(`{"pickable_objects": [], "overlay_root": "o", "x": ${deep}}`, { source: 'a.json' });
  expect(() => formatConfig(config)).toThrow(expect.objectContaining({ code: 'invalid-config' }));
});
