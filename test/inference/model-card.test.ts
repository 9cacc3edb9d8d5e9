import { describe, expect, it } from 'vitest';
import { chooseObjects, formatModelSpec, type ModelSpec, parseModelSpec } from '../../src/entry/index.ts';

const card: ModelSpec = {
  name: 'unet',
  tile: [64, 128, 128],
  outputStride: 2,
  voxelSize: 10.012,
  classes: [null, 'ribosome', 'apo-ferritin'],
  activation: 'softmax',
  normalization: 'z-score',
  thresholds: { ribosome: 0.16, 'apo-ferritin': 0.255 },
  minDistances: { ribosome: 150, 'apo-ferritin': 60 },
};

const ribosome = {
  ...{ floor: 0.01, minDistance: 150, sure: 0.88, doubtful: 0.5, concentration: 30 },
  weights: { constant: -9, score: 0.8, sureScore: 0.4, sureDensity: 1, doubtfulDensity: -0.2 },
};

describe('parseModelSpec', () => {
  it('parseModelSpec reads calibrations, of all objects or of some', () => {
    expect(parseModelSpec(formatModelSpec({ ...card, calibration: { ribosome } })).calibration).toEqual({ ribosome });
    expect(() => formatModelSpec({ ...card, calibration: { ribosome: { ...ribosome, sure: 1 } } })).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });

  it('parseModelSpec reads calibration curves, of all objects or of some', () => {
    const calibrationCurves = { ribosome: [[0.1, 0.02] as const, [0.9, 0.6] as const] };
    expect(parseModelSpec(formatModelSpec({ ...card, calibrationCurves }))).toEqual({ ...card, calibrationCurves });
    expect(() => formatModelSpec({ ...card, calibrationCurves: { ribosome: [[0.1, 0.02, 3]] as never } })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining('calibrationCurves') }),
    );
  });

  it('parseModelSpec reads what formatModelSpec writes, as text or as a value, and ignores other fields', () => {
    expect(parseModelSpec(formatModelSpec(card))).toEqual(card);
    expect(parseModelSpec({ ...card, trainedOn: 'simulations' })).toEqual(card);
  });

  it('parseModelSpec reads two sets of thresholds, and keeps a single one as it is', () => {
    const thresholds = { balanced: { ribosome: 0.9, 'apo-ferritin': 0.8 }, competition: card.thresholds } as const;
    const two = { ...card, thresholds } as ModelSpec;
    expect(parseModelSpec(formatModelSpec(two))).toEqual(two);
    expect(chooseObjects(two)).toMatchObject({
      thresholds: thresholds.balanced,
      competitionThresholds: card.thresholds,
    });
    expect(chooseObjects(card)).toMatchObject({ thresholds: card.thresholds });
    expect(chooseObjects(card).competitionThresholds).toBeUndefined();
    const named = { ...card, classes: ['balanced', 'competition'], minDistances: { balanced: 1, competition: 1 } };
    const odd = { ...named, thresholds: { balanced: 0.5, competition: 0.25 } };
    expect(parseModelSpec(odd).thresholds).toEqual(odd.thresholds);
  });

  it.each<[string, object, string]>([
    ['one set of two', { thresholds: { balanced: card.thresholds } }, 'field "thresholds.competition" is missing'],
    [
      'a set that is a number',
      { thresholds: { balanced: card.thresholds, competition: 0.5 } },
      'field "thresholds.competition": ',
    ],
    [
      'a set without an object',
      { thresholds: { balanced: card.thresholds, competition: { ribosome: 0.1 } } },
      'field "thresholds.competition": no value for class "apo-ferritin"',
    ],
    [
      'a set of another object',
      { thresholds: { balanced: { ...card.thresholds, virus: 1 }, competition: card.thresholds } },
      'field "thresholds.balanced": "virus" is not a class',
    ],
    [
      'a set with text',
      { thresholds: { balanced: card.thresholds, competition: { ...card.thresholds, ribosome: '1' } } },
      'field "thresholds.competition.ribosome": ',
    ],
    ['a missing name', { name: undefined }, 'field "name" is missing'],
    ['a tile of two edges', { tile: [64, 64] }, 'field "tile.2"'],
    ['half a voxel', { tile: [64, 64, 0.5] }, 'field "tile.2": expected a whole number of voxels'],
    [
      'a tile off the stride',
      { tile: [64, 63, 64] },
      'field "tile": 64×63×64 is not a multiple of the output stride 2',
    ],
    ['a tile off its multiple', { tileMultiple: 12 }, 'field "tile": 64×128×128 is not a multiple of tileMultiple 12'],
    [
      'a multiple off the stride',
      { tileMultiple: 5 },
      'field "tileMultiple": 5 is not a multiple of the output stride 2',
    ],
    ['a stride of 3', { outputStride: 3 }, 'field "outputStride": '],
    ['a voxel size of 0', { voxelSize: 0 }, 'field "voxelSize": expected a voxel size in Å above 0'],
    ['no classes', { classes: [] }, 'field "classes": expected at least one class'],
    ['only background', { classes: [null], thresholds: {}, minDistances: {} }, 'every class is null'],
    ['a class twice', { classes: ['ribosome', 'ribosome'] }, 'field "classes": "ribosome" is there twice'],
    ['an unknown activation', { activation: 'relu' }, 'field "activation": '],
    ['a threshold that is not a number', { thresholds: { ribosome: '1' } }, 'field "thresholds.ribosome": '],
    ['a missing threshold', { thresholds: { ribosome: 1 } }, 'field "thresholds": no value for class "apo-ferritin"'],
    [
      'missing distances',
      { minDistances: {} },
      'field "minDistances": no value for classes "ribosome", "apo-ferritin"',
    ],
    [
      'tiles of 10^63 voxels along an edge',
      { tile: [1e63, 1e63, 1e63] },
      'field "tile": 1e+63×1e+63×1e+63 voxels with 3 classes are too many; expected at most 2147483648 voxels, and as many scores',
    ],
    ['tiles of more scores than memory holds', { tile: [2048, 2048, 4096] }, 'expected at most 2147483648 voxels'],
    [
      'a threshold of nothing',
      { thresholds: { ...card.thresholds, virus: 1 } },
      'field "thresholds": "virus" is not a class; the classes are "ribosome", "apo-ferritin"',
    ],
    [
      'a calibration of nothing',
      { calibration: { virus: ribosome } },
      'field "calibration": "virus" is not a class; the classes are "ribosome", "apo-ferritin"',
    ],
    [
      'a calibration without a weight',
      { calibration: { ribosome: { ...ribosome, weights: { ...ribosome.weights, score: undefined } } } },
      'field "calibration.ribosome.weights.score" is missing',
    ],
    [
      'a calibration of a score above 1',
      { calibration: { ribosome: { ...ribosome, sure: 2 } } },
      'field "calibration.ribosome.sure": expected a score below 1',
    ],
    [
      'a calibration curve of nothing',
      { calibrationCurves: { virus: [[0.5, 0.5]] } },
      'field "calibrationCurves": "virus" is not a class; the classes are "ribosome", "apo-ferritin"',
    ],
    [
      'a calibration curve without points',
      { calibrationCurves: { ribosome: [] } },
      'field "calibrationCurves.ribosome": expected at least one point [score, share]',
    ],
    [
      'a calibration curve that falls',
      { calibrationCurves: { ribosome: [[0.2, 0.5] as const, [0.6, 0.4] as const] } },
      'field "calibrationCurves.ribosome": expected points [score, share] that rise in both',
    ],
    [
      'a calibration curve with a share above 1',
      { calibrationCurves: { ribosome: [[0.2, 1.5]] } },
      'field "calibrationCurves.ribosome.0.1": expected a score below 1',
    ],
    ['a negative distance', { minDistances: { ...card.minDistances, ribosome: -1 } }, 'expected a length in Å'],
  ])('parseModelSpec throws for %s and names the field', (_, fields, message) => {
    expect(() => parseModelSpec({ ...card, ...fields }, { source: 'unet.json' })).toThrow(
      expect.objectContaining({
        code: 'invalid-metadata',
        message: expect.stringMatching(/^unet\.json: /),
      }),
    );
    expect(() => parseModelSpec({ ...card, ...fields })).toThrow(message);
  });

  it('parseModelSpec names all fields that are missing, and those that are wrong beside them', () => {
    const names = 'tile outputStride voxelSize classes activation normalization thresholds minDistances'.split(' ');
    expect(() => parseModelSpec({ name: 'unet' }, { source: 'unet.json' })).toThrow(
      `unet.json: 8 fields are missing: ${names.map((name) => `"${name}"`).join(', ')}`,
    );
    expect(() => parseModelSpec({ ...card, name: undefined, tile: undefined, voxelSize: -1 })).toThrow(
      'model card: 2 fields are missing: "name", "tile"; field "voxelSize": expected a voxel size in Å above 0',
    );
    const thresholds = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`object ${i}`, 'high']));
    expect(() => parseModelSpec({ ...card, thresholds })).toThrow(/"thresholds.object 4": [^;]*; 95 more are wrong$/);
  });

  it('parseModelSpec reads the UTF-8 of a card, and refuses bytes that are not that', () => {
    const bytes = Buffer.from(formatModelSpec({ ...card, name: 'réseau' }));
    expect(parseModelSpec(bytes).name).toBe('réseau');
    bytes[bytes.indexOf('é') + 1] = 'x'.charCodeAt(0);
    expect(() => parseModelSpec(bytes, { source: 'unet.json' })).toThrow(
      expect.objectContaining({ code: 'invalid-metadata', message: 'unet.json is not UTF-8 text' }),
    );
  });

  it('parseModelSpec refuses numbers of ten million digits', () => {
    const text = JSON.stringify({ ...card, voxelSize: 'DIGITS' }).replace('"DIGITS"', '1'.repeat(10_000_000));
    expect(() => parseModelSpec(text)).toThrow('model card: field "voxelSize": expected a finite number');
    expect(() => parseModelSpec(`${text} x`)).toThrow('model card has a number of more than 1048576 characters');
  });

  it('parseModelSpec throws for text that is not JSON, and for JSON that is not a model card', () => {
    expect(() => parseModelSpec('{', { source: 'unet.json' })).toThrow(/^unet\.json is not JSON: line 1, column 2: /);
    expect(() => parseModelSpec('[]')).toThrow(expect.objectContaining({ code: 'invalid-metadata' }));
  });
});
