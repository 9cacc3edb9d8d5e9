import { describe, expect, it } from 'vitest';
import { chromiumPath } from './support/chromium.ts';
import { firefoxPath } from './support/firefox.ts';
import { pythonMissing, pythonNames } from './support/python.ts';
import { sharedDataMissing } from './support/shared-data.ts';

const required = (process.env.CRYOET_PICKS_REQUIRE ?? '').split(',').filter((name) => name !== '');

/**
 * Tests that want a browser, the reference data or a Python skip where it is missing. CI names what must not be missing in
 * `CRYOET_PICKS_REQUIRE`, so that a skip there is a failure here.
 */
const present: Readonly<Record<string, () => boolean>> = {
  chromium: () => chromiumPath !== undefined,
  firefox: () => firefoxPath !== undefined,
  'shared-data': () => !sharedDataMissing,
  ...Object.fromEntries(pythonNames.map((name) => [name, () => !pythonMissing(name)])),
};

describe('what this run requires', () => {
  it('every requirement of this run is known by name', () => {
    expect(required.filter((name) => !(name in present))).toEqual([]);
  });

  it.each(required)('this run has %s', (name) => {
    expect(present[name]!()).toBe(true);
  });
});
