import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatConfig, parseConfig } from '../../../src/entry/copick.ts';

const objects = [{ name: 'ribosome', is_particle: true, label: 1, color: [1, 2, 3, 4], metadata: {} }];
const parse = (json: unknown) => parseConfig(JSON.stringify(json), { source: 'copick.json' });

const croissant = {
  config_type: 'mlcroissant',
  pickable_objects: objects,
  croissant_url: 'https://example.org/data/Croissant/metadata.json',
  croissant_base_url: null,
  overlay_root: 'local://overlay',
  overlay_fs_args: { auto_mkdir: true },
  croissant_fs_args: { key: 'hunter2' },
  static_fs_args: {},
  made_by: { tool: 'x' },
};
const portal = {
  config_type: 'cryoet_data_portal',
  pickable_objects: objects,
  overlay_root: '/data/overlay',
  dataset_ids: [10301, 10302],
  overlay_fs_args: { password: 'hunter2' },
  portal_cache: false,
  portal_cache_ttl_seconds: 0,
  made_by: { tool: 'x' },
};

describe('configs of the kinds mlcroissant and cryoet_data_portal', () => {
  it('parseConfig names the kind of a filesystem config', () => {
    const config = parse({ pickable_objects: [], overlay_root: 'o', static_root: 's' });
    expect(config).toMatchObject({ type: 'filesystem', overlayRoot: 'o', staticRoot: 's' });
  });

  it('parseConfig reads the address of a Croissant, and omits null and empty values', () => {
    const config = parse(croissant);
    expect(config).toMatchObject({
      type: 'mlcroissant',
      croissantUrl: 'https://example.org/data/Croissant/metadata.json',
      overlayRoot: 'local://overlay',
    });
    expect(config).not.toHaveProperty('croissantBaseUrl');
    expect(parse({ ...croissant, overlay_root: '' })).not.toHaveProperty('overlayRoot');
  });

  it('parseConfig needs no objects if a Croissant has them', () => {
    const { pickable_objects: _, ...rest } = croissant;
    expect(parse(rest).objects).toEqual([]);
  });

  it('parseConfig reads the datasets and the cache of a portal config, with the defaults of copick', () => {
    const { portal_cache: _, portal_cache_ttl_seconds: __, ...rest } = portal;
    expect(parse(rest)).toMatchObject({
      type: 'cryoet_data_portal',
      datasetIds: [10301, 10302],
      overlayRoot: '/data/overlay',
      portalCache: true,
      portalCacheTtlSeconds: 86_400,
      portalCacheLockTimeoutSeconds: 60,
    });
    expect(parse(portal)).toMatchObject({ portalCache: false, portalCacheTtlSeconds: 0 });
  });

  it.each([
    ['mlcroissant without a URL', { ...croissant, croissant_url: undefined }, /croissant_url is missing/],
    ['mlcroissant with an empty URL', { ...croissant, croissant_url: '' }, /croissant_url/],
    ['a portal without datasets', { ...portal, dataset_ids: undefined }, /dataset_ids is missing/],
    ['a dataset that is not a number', { ...portal, dataset_ids: [1, 'x'] }, /dataset_ids.1/],
    ['a portal without an overlay', { ...portal, overlay_root: undefined }, /overlay_root is missing/],
    ['a cache that is not true or false', { ...portal, portal_cache: 'yes' }, /portal_cache/],
  ])('parseConfig refuses %s', (_, json, message) => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code: 'invalid-config', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ['mlcroissant', croissant],
    ['cryoet_data_portal', portal],
  ])(
    'formatConfig writes a %s config back unchanged, unknown keys and secrets included, and prints neither',
    (_, json) => {
      const config = parse(json);
      expect(JSON.parse(formatConfig(config))).toEqual(json);
      expect(inspect(config, { depth: 9 })).not.toContain('hunter2');
      expect(JSON.stringify(config)).not.toContain('hunter2');
    },
  );

  it('formatConfig writes changes', () => {
    const config = parse(portal);
    const written = formatConfig({ ...config, datasetIds: [7], portalCache: true } as typeof config);
    expect(JSON.parse(written)).toEqual({ ...portal, dataset_ids: [7], portal_cache: true });
    const other = parse(croissant);
    const moved = formatConfig({ ...other, croissantBaseUrl: '/data', overlayRoot: undefined } as typeof other);
    expect(JSON.parse(moved)).toEqual({ ...croissant, croissant_base_url: '/data', overlay_root: null });
  });
});
