import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it, vi } from 'vitest';
import { SlabMemory } from '../../src/core/buffer-pool.ts';
import {
  chooseObjects,
  type DetectableObject,
  detectParticles,
  localMaxima,
  type Model,
  measureIntensity,
  type ParticlePick,
  planTiles,
  scoreSlabs,
  suppressAcrossObjects,
  suppressNearby,
  toPick,
  type VolumeSource,
  type Warning,
  zScore,
} from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { identityModel } from '../support/identity-model.ts';
import { sourceOf } from '../support/volumes.ts';

const random = createRandom(9);
const shape = [20, 160, 48] as const;
const voxels = Float32Array.from({ length: 20 * 160 * 48 }, () => random.normal());
const tomogram = sourceOf(voxels, shape);
const model = identityModel({
  tile: [32, 48, 48],
  classes: ['ribosome', null, 'apo-ferritin'],
  normalization: 'z-score',
  thresholds: { ribosome: 1.5, 'apo-ferritin': 4 },
  minDistances: { ribosome: 40, 'apo-ferritin': 25 },
});
const objects: readonly DetectableObject[] = [
  { name: 'ribosome', radius: 150 },
  { name: 'apo-ferritin', radius: 60 },
  { name: 'membrane', isParticle: false },
];

/** The lines of the README's block-by-block listing from the objects to the picks, as a function of what they use. */
function readmeListing(): (names: Record<string, unknown>) => Promise<ParticlePick[]> {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  const code = /\n(const \{ spec \} = model;[\s\S]*?\nconst picks = suppressAcrossObjects[^\n]*)\n/.exec(readme)![1]!;
  const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
  const blocks = {
    chooseObjects,
    localMaxima,
    measureIntensity,
    planTiles,
    scoreSlabs,
    suppressAcrossObjects,
    suppressNearby,
    toPick,
    zScore,
    signal: undefined,
  };
  const AsyncFunction = (async () => {}).constructor as new (
    ...code: string[]
  ) => (...values: unknown[]) => Promise<ParticlePick[]>;
  return (names) => {
    const all = { ...blocks, ...names };
    return new AsyncFunction(...Object.keys(all), `${outputText}\nreturn picks;`)(...Object.values(all));
  };
}

const listing = readmeListing();

/** The greatest number of scores that blending held at once: open and spare, and those of slabs that were given out. */
async function mostHeld(run: () => Promise<unknown>): Promise<number> {
  const { zeros, handOut, put } = SlabMemory.prototype;
  let [out, most] = [0, 0];
  const spies = [
    vi.spyOn(SlabMemory.prototype, 'zeros').mockImplementation(function (this: SlabMemory, length) {
      const array = zeros.call(this, length);
      most = Math.max(most, this.held + out);
      return array;
    }),
    vi.spyOn(SlabMemory.prototype, 'handOut').mockImplementation(function (this: SlabMemory, array) {
      out += array.buffer.byteLength / 4;
      return handOut.call(this, array);
    }),
    vi.spyOn(SlabMemory.prototype, 'put').mockImplementation(function (this: SlabMemory, array) {
      out -= array.buffer.byteLength / 4;
      put.call(this, array);
    }),
  ];
  try {
    await run();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return most;
}

describe("the README's block-by-block listing", () => {
  it.each<[string, Model, readonly DetectableObject[]]>([
    ['a card with thresholds and distances', model, objects],
    [
      'a card with two sets of thresholds',
      identityModel({
        ...model.spec,
        thresholds: {
          balanced: { ribosome: 1.5, 'apo-ferritin': 4 },
          competition: { ribosome: 1, 'apo-ferritin': 2 },
        },
      }),
      objects,
    ],
    ['a card without them', identityModel({ ...model.spec, thresholds: {}, minDistances: {} }), objects],
    ['a project that lacks a class', model, objects.filter(({ name }) => name !== 'ribosome')],
    ['a project whose objects have no radius', model, objects.map(({ radius: _, ...object }) => object)],
    ['one object selected', model, [{ name: 'ribosome' }]],
  ])("the README's block-by-block listing finds the picks of detectParticles with %s", async (_, model, objects) => {
    const picks = await listing({ tomogram, model, project: { objects } });
    expect(picks.length).toBeGreaterThan(10);
    expect(await detectParticles(tomogram, { model, objects })).toEqual(picks);
  });

  it("the README's block-by-block listing holds as many scores at once as detectParticles, and no more than the plan predicts", async () => {
    const long: VolumeSource = { ...tomogram };
    const ofListing = await mostHeld(() => listing({ tomogram: long, model, project: { objects } }));
    const ofFunction = await mostHeld(() => detectParticles(long, { model, objects }));
    expect(ofListing).toBe(ofFunction);
    const plan = planTiles(shape, model.spec);
    const planes = (2 * 20 * 48 * 48) / 48;
    // A slab that was given out is released before the next tile is added, and spare memory may be some planes longer.
    expect(4 * ofFunction).toBeLessThanOrEqual(plan.memory.accumulators + 4 * 10 * planes);
    expect(4 * ofFunction).toBeGreaterThanOrEqual(plan.memory.accumulators);
  });
});

describe('chooseObjects', () => {
  const { spec } = model;

  it('chooseObjects takes thresholds from the caller, then the card, then 0.5, and distances from the caller, the card, the radius, then 0', () => {
    expect(chooseObjects(spec, objects)).toEqual({
      classes: ['ribosome', 'apo-ferritin'],
      thresholds: { ribosome: 1.5, 'apo-ferritin': 4 },
      minDistances: { ribosome: 40, 'apo-ferritin': 25 },
      acrossObjects: 0,
    });
    const bare = { ...spec, thresholds: {}, minDistances: {} };
    expect(chooseObjects(bare, objects)).toMatchObject({
      thresholds: { ribosome: 0.5, 'apo-ferritin': 0.5 },
      minDistances: { ribosome: 150, 'apo-ferritin': 60 },
    });
    expect(chooseObjects(bare)).toMatchObject({ minDistances: { ribosome: 0, 'apo-ferritin': 0 } });
    const given = { thresholds: { ribosome: 9 }, minDistances: { ribosome: 7 } };
    expect(chooseObjects(spec, objects, given)).toMatchObject({
      thresholds: { ribosome: 9, 'apo-ferritin': 4 },
      minDistances: { ribosome: 7, 'apo-ferritin': 25 },
    });
  });

  it('chooseObjects warns once of each object whose distance nothing gives, and of no other', () => {
    const warnedOf = (chosen: typeof spec, options: object) => {
      const warnings: Warning[] = [];
      const mixed = [{ name: 'ribosome', radius: null }, { name: 'apo-ferritin', radius: 60 }, { name: 'ribosome' }];
      chooseObjects(chosen, mixed, { ...options, onWarning: (warning) => warnings.push(warning) });
      return warnings;
    };
    const bare = { ...spec, minDistances: {} };
    expect(warnedOf(bare, {})).toEqual([
      { code: 'distance-assumed', message: expect.stringMatching(/^"ribosome" has no radius, .*: 0 Å is assumed/) },
    ]);
    expect(warnedOf(bare, { minDistances: { ribosome: 0 } })).toEqual([]);
    expect(warnedOf(spec, {})).toEqual([]);
  });

  it('chooseObjects takes one number for every object that is looked for', () => {
    expect(chooseObjects(spec, objects, { thresholds: 0.3, minDistances: 7 })).toMatchObject({
      thresholds: { ribosome: 0.3, 'apo-ferritin': 0.3 },
      minDistances: { ribosome: 7, 'apo-ferritin': 7 },
    });
    expect(chooseObjects(spec, [{ name: 'ribosome' }], { thresholds: 0.3 }).thresholds).toEqual({ ribosome: 0.3 });
  });

  it.each([
    ['text', '0.5', 'found "0.5"'],
    ['nothing', null, 'found null'],
    ['an array', [0.5, 0.5], 'a number, or numbers by object name, found [0.5, 0.5]'],
    ['a Map', new Map([['ribosome', 0.5]]), 'a number, or numbers by object name, found a Map'],
    ['a function', () => 0.5, 'a number, or numbers by object name, found a function'],
    ['a number that is not finite', Number.NaN, 'found NaN'],
    ['an unknown object', { typo: 1 }, 'names "typo"'],
    ['text of an object', { ribosome: '0.5' }, 'of "ribosome" must be a finite'],
  ])('chooseObjects throws, naming the option, if thresholds or minDistances is %s', (_, value, message) => {
    for (const option of ['thresholds', 'minDistances']) {
      expect(() => chooseObjects(spec, objects, { [option]: value as never })).toThrow(
        expect.objectContaining({ code: 'invalid-option', option, message: expect.stringContaining(message) }),
      );
    }
  });

  it('chooseObjects omits objects that are unknown to the model or are no particles, and names each once', () => {
    const more = [{ name: 'ribosome' }, { name: 'proteasome' }, ...objects];
    expect(chooseObjects(spec, more).classes).toEqual(['ribosome', 'apo-ferritin']);
    expect(chooseObjects(spec, [{ name: 'apo-ferritin' }])).toEqual({
      classes: ['apo-ferritin'],
      thresholds: { 'apo-ferritin': 4 },
      minDistances: { 'apo-ferritin': 25 },
      acrossObjects: 0,
    });
  });

  it('chooseObjects ignores properties that every record inherits, whatever an object is called', () => {
    const inherited = { ...spec, classes: ['constructor', '__proto__'], thresholds: {}, minDistances: {} };
    const { thresholds, minDistances } = chooseObjects(inherited);
    expect(Object.entries(thresholds)).toEqual([
      ['constructor', 0.5],
      ['__proto__', 0.5],
    ]);
    expect(Object.entries(minDistances)).toEqual([
      ['constructor', 0],
      ['__proto__', 0],
    ]);
  });

  it.each([
    ['objects of which the model knows none', [{ name: 'proteasome' }], {}, /"proteasome".*"ribosome", "apo-ferritin"/],
    ['a threshold of an unknown object', objects, { thresholds: { typo: 1 } }, /thresholds names "typo"/],
    ['a distance of an unknown object', objects, { minDistances: { typo: 1 } }, /minDistances names "typo"/],
    ['a threshold that is not finite', objects, { thresholds: { ribosome: NaN } }, /thresholds of "ribosome".*NaN/],
    ['a negative distance', objects, { minDistances: { ribosome: -1 } }, /minDistances of "ribosome".*-1/],
    ['a mistake about an object left out', [{ name: 'ribosome' }], { thresholds: { 'apo-ferritin': NaN } }, /NaN/],
  ])('chooseObjects refuses %s', (_, objects, options, message) => {
    expect(() => chooseObjects(spec, objects, options)).toThrow(message);
    expect(() => chooseObjects(spec, objects, options)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });
});
