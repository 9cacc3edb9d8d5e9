import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatConfig, parseConfig } from '../../../src/entry/copick.ts';
import { copickFixture } from '../../support/copick-fixture.ts';

const minimal = { pickable_objects: [{ name: 'ribosome', is_particle: true }], overlay_root: 'overlay' };
const parse = (json: unknown) => parseConfig(JSON.stringify(json), { source: 'copick.json' });
const withObject = (fields: object) => ({
  ...minimal,
  pickable_objects: [{ name: 'ribosome', is_particle: true, ...fields }],
});

describe('parseConfig', () => {
  it('parseConfig reads the config that copick wrote, every field', () => {
    const text = readFileSync(`${copickFixture}copick.json`, 'utf8');
    const config = parseConfig(text, { source: 'copick.json' });
    expect(config).toMatchObject({
      name: 'fixture',
      overlayRoot: 'overlay',
      staticRoot: 'local://static',
      problems: [],
    });
    expect(config.objects.slice(0, 2)).toEqual([
      {
        name: 'ribosome',
        isParticle: true,
        label: 1,
        color: [0, 117, 220, 255],
        radius: 150,
        emdbId: 'EMD-3883',
        pdbId: '6QZP',
        identifier: 'GO:0022626',
        metadata: {},
      },
      {
        name: 'thyroglobulin',
        isParticle: true,
        label: 2,
        color: [100, 100, 100, 255],
        radius: 130.5,
        mapThreshold: 0.0368,
        metadata: { weight: 2 },
      },
    ]);
    expect(config.objects.map(({ name, isParticle }) => [name, isParticle])).toContainEqual(['membrane', false]);
  });

  it("parseConfig reads a missing config_type as filesystem, as in the competition's configs", () => {
    const { original: _, ...config } = parse(minimal);
    expect(parse({ config_type: 'filesystem', ...minimal })).toMatchObject(config);
  });

  it("parseConfig fills in copick's defaults", () => {
    expect(parse(minimal).objects).toEqual([
      { name: 'ribosome', isParticle: true, label: 1, color: [100, 100, 100, 255], metadata: {} },
    ]);
  });

  it('parseConfig distinguishes a label of null, which means none, from a missing one, which means 1', () => {
    expect(parse(withObject({ label: null })).objects[0]).not.toHaveProperty('label');
  });

  it('parseConfig reads go_id, as older configs call the identifier', () => {
    expect(parse(withObject({ go_id: 'GO:1' })).objects[0]?.identifier).toBe('GO:1');
  });

  it.each([
    ['multilayer', 'invalid-config', /"multilayer"; expected "filesystem", "cryoet_data_portal" or "mlcroissant"/],
    [7, 'invalid-config', /unknown config_type 7/],
  ])('parseConfig refuses the config_type %j', (type, code, message) => {
    expect(() => parse({ ...minimal, config_type: type })).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ['no object', [], /config "copick.json" is not a JSON object/],
    ['null', null, /is not a JSON object/],
    ['objects missing', { overlay_root: 'o' }, /pickable_objects is missing/],
    ['objects no list', { ...minimal, pickable_objects: {} }, /pickable_objects: expected Array, found Object/],
    ['overlay missing', { pickable_objects: [] }, /overlay_root is missing/],
    ['overlay empty', { ...minimal, overlay_root: '' }, /overlay_root: /],
    ['name missing', { ...minimal, pickable_objects: [{ is_particle: true }] }, /pickable_objects.0.name is missing/],
    ['is_particle missing', { ...minimal, pickable_objects: [{ name: 'a' }] }, /is_particle is missing/],
    [
      'underscore in a name',
      withObject({ name: 'apo_ferritin' }),
      /"apo_ferritin" is not allowed; copick writes it "apo-ferritin"/,
    ],
    ['slash in a name', withObject({ name: '../x' }), /"\.\.\/x" is not allowed/],
    ['empty name', withObject({ name: '' }), /no usable character/],
    ['label 0', withObject({ label: 0 }), /label 0 is the background/],
    ['label no whole number', withObject({ label: 1.5 }), /pickable_objects.0.label/],
    ['color of three', withObject({ color: [1, 2, 3] }), /pickable_objects.0.color/],
    ['color above 255', withObject({ color: [1, 2, 3, 256] }), /pickable_objects.0.color.3/],
    ['radius as text', withObject({ radius: 'big' }), /pickable_objects.0.radius: expected .*, found "big"/],
  ])('parseConfig refuses a config with %s, and says what and where', (_, json, message) => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code: 'invalid-config', message: expect.stringMatching(message) }),
    );
  });

  it('parseConfig names line and column of text that is not JSON', () => {
    expect(() => parseConfig('{\n  "name": "a"\n  "overlay_root": "o"\n}', { source: 'my/copick.json' })).toThrow(
      expect.objectContaining({
        code: 'invalid-config',
        message: `config "my/copick.json" is not JSON: line 3, column 3: expected ',' or '}', found "\\""`,
      }),
    );
  });

  it('parseConfig reads the UTF-8 of a config, and refuses bytes that are not that', () => {
    const bytes = Buffer.from('{ "name": "é", "overlay_root": "overlay", "pickable_objects": [] }');
    expect(parseConfig(bytes, { source: 'a.json' }).name).toBe('é');
    bytes[bytes.indexOf('é') + 1] = 'x'.charCodeAt(0);
    expect(() => parseConfig(bytes, { source: 'a.json' })).toThrow(
      expect.objectContaining({ code: 'invalid-config', message: 'config "a.json" is not UTF-8 text' }),
    );
  });

  it('parseConfig lists mistakes that do not prevent its use', () => {
    const objects = [
      { name: 'a', is_particle: true, label: 1 },
      { name: 'b', is_particle: true, radius: -3 },
      { name: 'a', is_particle: true, label: 9 },
    ];
    expect(parse({ ...minimal, pickable_objects: objects, user_id: 'my_user' }).problems).toEqual([
      'objects "a" and "b" share the label 1',
      'object "b" has a radius of -3 Å',
      'object "a" is declared twice; the first declaration counts',
      'user_id "my_user" is not allowed in file names; copick rejects it',
    ]);
  });

  it('parseConfig shows no secret of the file-system options, neither printed nor in messages', () => {
    const json = { ...minimal, overlay_fs_args: { key: 'hunter2' } };
    expect(inspect(parse(json), { depth: 9 })).not.toContain('hunter2');
    expect(JSON.stringify(parse(json))).not.toContain('hunter2');
    expect(() => parse({ ...json, pickable_objects: 3 })).not.toThrow(/hunter2/);
  });
});

describe('formatConfig', () => {
  it('formatConfig writes back what was read, including unknown keys', () => {
    const json = {
      config_type: 'filesystem',
      name: 'p',
      made_by: { tool: 'x' },
      user_id: null,
      overlay_fs_args: { auto_mkdir: true },
      overlay_root: 'local://o',
      runs: ['TS_1'],
      pickable_objects: [
        {
          name: 'ribosome',
          is_particle: true,
          label: null,
          color: [1, 2, 3, 4],
          identifier: 'GO:1',
          metadata: { copick: { filament: { polar: true } } },
          future: [1],
        },
      ],
    };
    expect(JSON.parse(formatConfig(parse(json)))).toEqual(json);
  });

  it('formatConfig writes back a config of copick, and names its kind', () => {
    const text = readFileSync(`${copickFixture}copick.json`, 'utf8');
    expect(JSON.parse(formatConfig(parseConfig(text, { source: 'copick.json' })))).toEqual({
      config_type: 'filesystem',
      ...JSON.parse(text),
    });
  });

  it('formatConfig keeps unknown keys of the others when an object is added, changed and removed', () => {
    const json = {
      ...minimal,
      pickable_objects: ['a', 'b'].map((name) => ({ name, is_particle: true, future: name })),
    };
    const config = parse(json);
    const [, b] = config.objects;
    const changed = {
      ...config,
      objects: [
        { ...b!, radius: 60 },
        { ...b!, name: 'c' },
      ],
    };
    const written = JSON.parse(formatConfig(changed));
    expect(written.pickable_objects).toMatchObject([{ name: 'b', radius: 60, future: 'b' }, { name: 'c' }]);
    expect(written.pickable_objects[1]).not.toHaveProperty('future');
  });

  it('formatConfig names the kind of a config that omitted it, because copick requires it', () => {
    const written = [minimal, { ...minimal, config_type: null }].map((json) => JSON.parse(formatConfig(parse(json))));
    expect(written.map((json) => json.config_type)).toEqual(['filesystem', 'filesystem']);
  });

  it('formatConfig writes go_id as identifier, as copick does', () => {
    const [object] = JSON.parse(formatConfig(parse(withObject({ go_id: 'GO:1' })))).pickable_objects;
    expect(object).toMatchObject({ identifier: 'GO:1' });
    expect(object).not.toHaveProperty('go_id');
  });
});
