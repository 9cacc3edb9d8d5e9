import { describe, expect, it } from 'vitest';
import {
  type FilesystemConfig,
  filamentOf,
  formatConfig,
  type NewObject,
  newConfig,
  parseConfig,
  withFilament,
  withObject,
  withoutObject,
} from '../../../src/entry/copick.ts';
import type { PickableObject } from '../../../src/entry/index.ts';
import { expectedEntities, openEntities } from '../../support/copick-entities.ts';
import { config } from '../../support/copick-tree.ts';

const actin: PickableObject = {
  name: 'actin',
  isParticle: true,
  label: 9,
  color: [1, 2, 3, 4],
  metadata: { weight: 2 },
};

function json(text: string): Record<string, unknown> {
  return JSON.parse(text);
}

describe('newConfig', () => {
  it("newConfig equals the output of copick's new_config, except for its version", () => {
    const text = formatConfig(newConfig({ overlayRoot: 'local://overlay' }));
    expect(json(text)).toEqual({
      config_type: 'filesystem',
      name: 'copick project',
      description: '',
      pickable_objects: [],
      overlay_root: 'local://overlay',
      overlay_fs_args: { auto_mkdir: true },
    });
  });

  it('newConfig is read back with its objects, in order, each with a label of its own', () => {
    const objects: NewObject[] = [
      { name: 'ribosome', isParticle: true, radius: 150, emdbId: 'EMD-3883' },
      { name: 'membrane', isParticle: false, label: 7 },
      { name: 'virus', isParticle: true, color: [0, 1, 2, 3] },
      { name: 'background', isParticle: false, label: null },
    ];
    const made = newConfig({ overlayRoot: 'overlay', staticRoot: 'static', name: 'n', description: 'd', objects });
    const read = parseConfig(formatConfig(made), { source: 'copick.json' }) as FilesystemConfig;
    expect(read).toMatchObject({
      name: 'n',
      description: 'd',
      overlayRoot: 'overlay',
      staticRoot: 'static',
      problems: [],
    });
    expect(read.objects).toEqual(made.objects);
    expect(read.objects.map(({ label }) => label)).toEqual([1, 7, 8, undefined]);
    expect(read.objects[0]).toMatchObject({
      color: [100, 100, 100, 255],
      radius: 150,
      emdbId: 'EMD-3883',
      metadata: {},
    });
  });

  it('newConfig makes objects particles by default, and refuses isParticle that is not a boolean', () => {
    const made = newConfig({ overlayRoot: 'overlay', objects: [{ name: 'ribosome', radius: 150, label: 1 }] });
    expect(parseConfig(formatConfig(made), { source: 'copick.json' }).objects).toEqual(made.objects);
    expect(made.objects[0]).toMatchObject({ name: 'ribosome', isParticle: true, label: 1 });
    const membrane = withObject(made, { name: 'membrane', isParticle: false });
    const replaced = withObject(membrane, { name: 'membrane', radius: 20 }, { replace: true });
    expect(replaced.objects[1]).toMatchObject({ isParticle: false, radius: 20 });
    const odd = { name: 'virus', isParticle: 'yes' } as unknown as NewObject;
    expect(() => withObject(made, odd)).toThrow(/"virus" cannot be added to the config: its isParticle is neither/);
  });

  it('newConfig refuses an empty overlay', () => {
    expect(() => newConfig({ overlayRoot: '' })).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });
});

describe('withObject', () => {
  it('withObject adds an object with the next label, and does not change the given config', () => {
    const more = withObject(config, { name: 'actin', isParticle: true });
    expect(more.objects.map(({ name, label }) => [name, label])).toEqual([
      ['ribosome', 1],
      ['virus', 2],
      ['apo-ferritin', 3],
      ['actin', 4],
    ]);
    expect(config.objects).toHaveLength(3);
  });

  it('withObject changes an object in its place, and keeps omitted fields and unknown keys', () => {
    const text = JSON.stringify({
      overlay_root: 'o',
      pickable_objects: [
        { name: 'a', is_particle: true, label: 3, radius: 10, shape: 'round', metadata: { weight: 1 } },
        { name: 'b', is_particle: true, label: 4 },
      ],
    });
    const read = parseConfig(text, { source: 'copick.json' });
    const change = { name: 'a', isParticle: false, radius: 20, pdbId: undefined };
    const changed = withObject(read, change, { replace: true });
    expect(changed.objects.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(json(formatConfig(changed)).pickable_objects).toMatchObject([
      { name: 'a', is_particle: false, label: 3, radius: 20, shape: 'round', metadata: { weight: 1 } },
      { name: 'b' },
    ]);
    const bare = withObject(read, { name: 'a', isParticle: true, label: null }, { replace: true });
    expect(bare.objects[0]!.label).toBeUndefined();
  });

  it.each<[string, NewObject, RegExp]>([
    [
      'a name that is taken',
      { name: 'virus', isParticle: true },
      /already has an object of this name; set `replace: true`/,
    ],
    ['a name with an underscore', { name: 'my_virus', isParticle: true }, /copick writes it "my-virus"/],
    ['a name of nothing usable', { name: '_', isParticle: true }, /no usable character/],
    ['a label that is taken', { name: 'x', isParticle: true, label: 2 }, /object "virus" already has the label 2/],
    ['a label of 0', { name: 'x', isParticle: true, label: 0 }, /background/],
    ['a label that is not a whole number', { name: 'x', isParticle: true, label: 1.5 }, /not a whole number/],
    ['a color of three', { name: 'x', isParticle: true, color: [1, 2, 3] as never }, /four whole numbers/],
    ['a color beyond 255', { name: 'x', isParticle: true, color: [1, 2, 3, 256] }, /four whole numbers/],
    ['a radius that is NaN', { name: 'x', isParticle: true, radius: Number.NaN }, /radius is NaN/],
  ])('withObject refuses %s', (_, object, message) => {
    expect(() => withObject(config, object)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(message) }),
    );
  });

  it('withObject refuses to replace an object that does not exist, and a label of another object', () => {
    expect(() => withObject(config, { name: 'x', isParticle: true }, { replace: true })).toThrow(
      /no such object to replace.*"ribosome"/,
    );
    const clash = { name: 'virus', isParticle: true, label: 1 };
    expect(() => withObject(config, clash, { replace: true })).toThrow(/"ribosome" already has the label 1/);
    expect(withObject(config, { ...clash, label: 2 }, { replace: true }).objects[1]).toMatchObject({ label: 2 });
  });
});

describe('withoutObject', () => {
  it('withoutObject removes an object, or lists the available ones', () => {
    expect(withoutObject(config, 'virus').objects.map(({ name }) => name)).toEqual(['ribosome', 'apo-ferritin']);
    expect(() => withoutObject(config, 'x')).toThrow(
      expect.objectContaining({ code: 'not-found', message: expect.stringContaining('"apo-ferritin"') }),
    );
  });
});

describe('filamentOf', () => {
  it('filamentOf reads what copick reads', () => {
    const { objects } = openEntities();
    for (const { name, filament } of expectedEntities.objects) {
      const spec = filamentOf(objects.find((one) => one.name === name)!);
      if (filament === null) expect(spec).toBeUndefined();
      else {
        expect(spec).toEqual({
          polar: filament.polar,
          helicalRise: filament.helical_rise_a,
          helicalTwist: filament.helical_twist_deg,
          unknown: name === 'microtubule' ? { lattice: 'B' } : {},
        });
      }
    }
    expect(expectedEntities.objects.filter(({ filament }) => filament !== null)).toHaveLength(2);
  });

  it.each([
    [{}],
    [{ copick: 'mine' }],
    [{ copick: null }],
    [{ copick: [] }],
    [{ copick: {} }],
    [{ copick: { filament: null } }],
  ])('filamentOf finds none in %j', (metadata) => {
    expect(filamentOf({ ...actin, metadata })).toBeUndefined();
  });

  it.each([
    ['a rise of 0', { filament: { helical_rise_a: 0 } }, true],
    ['a polarity that is not a truth value', { filament: { polar: 'yes' } }, true],
    ['a declaration that is not an object', { filament: true }, true],
    ['an object that is not a particle', { filament: {} }, false],
  ])('filamentOf refuses %s, as does reading the config', (_, copick, isParticle) => {
    const metadata = { copick };
    expect(() => filamentOf({ ...actin, isParticle, metadata })).toThrow(
      expect.objectContaining({ code: 'invalid-config' }),
    );
    const pickable_objects = [{ name: 'actin', is_particle: isParticle, metadata }];
    expect(() => parseConfig(JSON.stringify({ overlay_root: 'o', pickable_objects }), { source: 'c.json' })).toThrow(
      expect.objectContaining({
        code: 'invalid-config',
        message: expect.stringMatching(/^config "c.json": .*filament/),
      }),
    );
  });
});

describe('withFilament', () => {
  it('withFilament declares, changes and removes, and keeps other metadata', () => {
    const declared = withFilament(actin, { polar: true, helicalRise: 27.5, unknown: { seam: 1 } });
    expect(declared.metadata).toEqual({
      weight: 2,
      copick: { filament: { polar: true, helical_rise_a: 27.5, seam: 1 } },
    });
    expect(filamentOf(declared)).toEqual({ polar: true, helicalRise: 27.5, unknown: { seam: 1 } });
    expect(withFilament(declared, undefined).metadata).toEqual({ weight: 2 });
    const shared = { ...declared, metadata: { copick: { filament: {}, other: 3 } } };
    expect(withFilament(shared, undefined).metadata).toEqual({ copick: { other: 3 } });
    expect(actin.metadata).toEqual({ weight: 2 });
  });

  it('withFilament refuses what copick refuses', () => {
    const code = expect.objectContaining({ code: 'invalid-config' });
    expect(() => withFilament({ ...actin, isParticle: false }, {})).toThrow(code);
    expect(() => withFilament(actin, { helicalRise: -1 })).toThrow(code);
    expect(() => withFilament({ ...actin, metadata: { copick: 'mine' } }, {})).toThrow(code);
  });
});
