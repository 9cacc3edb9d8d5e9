import { readFile } from 'node:fs/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { parseModelSpec, planTiles, sourceFromArray, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { planSearch } from '../../src/page/detect.ts';
import { factsOf } from '../../src/page/detect-dialog.ts';

const card = new URL('../../models/default.json', import.meta.url);
const spec = parseModelSpec(await readFile(card, 'utf8'), { source: 'default.json' });
const large: Zyx = [184, 630, 630];
const small: Zyx = [24, 40, 40];

afterEach(() => vi.unstubAllGlobals());

/** A volume of a shape, whose voxels nobody reads. */
function volume(shape: Zyx): VolumeSource {
  const { grid, read } = sourceFromArray(
    { data: new Float32Array(1), shape: [1, 1, 1] },
    { voxelSize: [10.012, 10.012, 10.012] },
  );
  return { grid: { ...grid, shape }, read };
}

/** The plan of a device that says how many GB it has, and what the dialog says of it. */
function planOn(deviceMemory: number | undefined, shape: Zyx) {
  vi.stubGlobal('navigator', deviceMemory === undefined ? {} : { deviceMemory });
  const plan = planSearch([volume(shape)], spec);
  return { plan, facts: factsOf({ network: { bytes: new ArrayBuffer(0), spec }, plan, isOwn: false }) };
}

it.each<[string, number | undefined]>([
  ['a browser that does not say how much memory there is, such as Firefox', undefined],
  ['a device of 8 GB or more', 8],
])('planSearch takes the tiles of a program in %s', (_, deviceMemory) => {
  const { plan, facts } = planOn(deviceMemory, large);
  expect(plan.tiles).toBeUndefined();
  const [z, y, x] = planTiles(large, spec).tile;
  expect(plan.memory).toBeGreaterThan(180 * z * y * x);
  expect(facts).not.toContain('tiles');
});

it('planSearch takes smaller tiles on a device of 4 GB, and the dialog says what that means before the search', () => {
  const { plan, facts } = planOn(4, large);
  expect(plan.tiles).toBe('low');
  expect(plan.memory).toBeLessThan(planOn(8, large).plan.memory / 2);
  expect(facts).toContain('with smaller tiles than the program takes, so scores may differ a little');
});

it('planSearch says nothing of tiles for a volume that has the same ones with little memory', () => {
  const { plan, facts } = planOn(4, small);
  expect(plan).toEqual(planOn(8, small).plan);
  expect(facts).not.toContain('tiles');
});
