import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CryoetPicksError, functionModel, type Model } from '../../src/entry/index.ts';
import type { DeviceChoice } from '../../src/entry/web.ts';
import { chooseDevice, WEBGPU_TOLERANCE } from '../../src/web/device-choice.ts';

const card = { classes: ['spot', null], tile: [48, 64, 64], tileMultiple: 16 } as const;

/** What `performance.now` says, in milliseconds. */
let clock = 0;

/** What stands for the network on a device: two channels of a tile's voxels, after some milliseconds. */
function network(change: (value: number, index: number) => number, milliseconds: number): Model {
  return functionModel((voxels) => {
    clock += milliseconds;
    const scores = new Float32Array(2 * voxels.length);
    voxels.forEach((value, i) => {
      scores[i] = change(value, i);
      scores[voxels.length + i] = -value;
    });
    return scores;
  }, card);
}

const same = (value: number) => value;
const tiles = { data: Float32Array.from({ length: 16 ** 3 }, (_, i) => Math.sin(i)), shape: [1, 16, 16, 16] } as const;

interface Opened {
  readonly choices: DeviceChoice[];
  readonly disposed: string[];
  readonly opened: string[];
}

/** Chooses between two stand-ins, and keeps what was opened, chosen and disposed. */
async function choose(devices: { webgpu: () => Model | Promise<Model>; wasm: () => Model }, signal?: AbortSignal) {
  const seen: Opened = { choices: [], disposed: [], opened: [] };
  const open = async (device: 'webgpu' | 'wasm') => {
    seen.opened.push(device);
    const model = await devices[device]();
    const dispose = async () => void seen.disposed.push(device);
    return { ...model, dispose };
  };
  const { spec } = devices.wasm();
  const model = await chooseDevice(open, { spec, signal, onDevice: (choice) => seen.choices.push(choice) });
  return { ...seen, model };
}

const slow = () => network(same, 60);

describe('where a network computes in a browser', () => {
  beforeEach(() => {
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => ({}) } });
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it('a network that is right and faster on WebGPU computes there, and WebAssembly is given up', async () => {
    const { model, choices, disposed } = await choose({
      webgpu: () => network((value) => value * (1 + 1e-6), 1),
      wasm: slow,
    });
    expect(choices).toEqual([
      { device: 'webgpu', reason: expect.stringMatching(/times as fast/), trial: expect.anything() },
    ]);
    expect(choices[0]!.trial!.shape).toEqual([48, 64, 64]);
    expect(choices[0]!.trial!.difference).toBeGreaterThan(0);
    expect(disposed).toEqual(['wasm']);
    const { data } = await model.score(tiles);
    expect(data[7]).not.toBe(tiles.data[7]);
    expect(data[7]).toBeCloseTo(tiles.data[7]! * (1 + 1e-6), 7);
    await model.dispose();
    expect(disposed).toEqual(['wasm', 'webgpu']);
  });

  it.each([
    ['in one score among many', (value: number, i: number) => (i === 5000 ? value + 0.1 : value), /other scores/],
    ['as half precision is', (value: number) => Math.fround(value * (1 + 2 ** -11)), /other scores/],
    ['in that they are no numbers', (value: number, i: number) => (i === 9 ? Number.NaN : value), /no numbers/],
  ])('WebGPU is refused where its scores are wrong %s', async (_, change, reason) => {
    const { model, choices, disposed } = await choose({ webgpu: () => network(change, 1), wasm: slow });
    expect(choices).toEqual([{ device: 'wasm', reason: expect.stringMatching(reason), trial: expect.anything() }]);
    expect(choices[0]!.trial!.difference).toBeGreaterThan(WEBGPU_TOLERANCE);
    expect(disposed).toEqual(['webgpu']);
    expect((await model.score(tiles)).data[7]).toBe(tiles.data[7]);
  });

  it('WebGPU is refused where only a whole tile is wrong', async () => {
    const wrongWhereLarge = (value: number, i: number) => (i > 40_000 ? 0 : value);
    const { choices } = await choose({ webgpu: () => network(wrongWhereLarge, 1), wasm: slow });
    expect(choices).toEqual([
      { device: 'wasm', reason: expect.stringMatching(/other scores/), trial: expect.anything() },
    ]);
    expect(choices[0]!.trial!.shape).toEqual([48, 64, 64]);
  });

  it('WebGPU is refused where it is slower, without a trial of a whole tile', async () => {
    const { choices } = await choose({ webgpu: () => network(same, 60), wasm: () => network(same, 1) });
    expect(choices).toEqual([{ device: 'wasm', reason: expect.stringMatching(/slower/), trial: expect.anything() }]);
    expect(choices[0]!.trial!.shape).toEqual([32, 32, 32]);
  });

  it.each([
    ['has no WebGPU', {}, 'this browser has no WebGPU'],
    ['has no adapter', { gpu: { requestAdapter: async () => null } }, 'WebGPU finds no graphics card that it can use'],
    [
      'refuses an adapter',
      { gpu: { requestAdapter: () => Promise.reject(new Error('blocked')) } },
      'WebGPU finds no graphics card (blocked)',
    ],
  ])('a browser that %s computes in WebAssembly, and says so', async (_, navigator, reason) => {
    vi.stubGlobal('navigator', navigator);
    const { choices, opened } = await choose({ webgpu: slow, wasm: slow });
    expect(choices).toEqual([{ device: 'wasm', reason, trial: undefined }]);
    expect(opened).toEqual(['wasm']);
  });

  it.each([
    ['cannot load the network', () => Promise.reject(new CryoetPicksError('model-failed', 'no such operator'))],
    [
      'fails on the patch',
      () => functionModel(() => Promise.reject(new CryoetPicksError('model-failed', 'no such operator')), card),
    ],
  ])('WebGPU that %s is refused, and says why', async (_, webgpu) => {
    const { choices } = await choose({ webgpu, wasm: slow });
    expect(choices).toEqual([
      { device: 'wasm', reason: 'WebGPU cannot run the network: no such operator', trial: undefined },
    ]);
  });

  it('a card that is lost midway is replaced by WebAssembly, once, told, without a tile lost', async () => {
    let isLost = false;
    const webgpu = (): Model => {
      const model = network(same, 1);
      return {
        ...model,
        score: (given, options) =>
          isLost
            ? Promise.reject(new CryoetPicksError('model-failed', 'the card is lost'))
            : model.score(given, options),
      };
    };
    const { model, choices, opened, disposed } = await choose({ webgpu, wasm: slow });
    const given = tiles.data.slice();
    const before = await model.score({ data: given, shape: tiles.shape }, { transfer: true });
    expect(before.tiles).toBe(given);
    isLost = true;
    const [one, other] = await Promise.all([
      model.score({ data: given, shape: tiles.shape }, { transfer: true }),
      model.score(tiles),
    ]);
    expect(one.data).toEqual(before.data);
    expect(other.data).toEqual(before.data);
    expect(choices.map(({ device, reason }) => [device, reason])).toEqual([
      ['webgpu', expect.anything()],
      ['wasm', 'WebGPU failed: the card is lost'],
    ]);
    expect(opened).toEqual(['wasm', 'webgpu', 'wasm']);
    await model.dispose();
    expect(disposed).toEqual(['wasm', 'webgpu', 'webgpu', 'wasm']);
  });

  it('tiles that no device takes, and calls that were aborted or disposed, do not count as a failure of WebGPU', async () => {
    const { model, choices } = await choose({ webgpu: () => network(same, 1), wasm: slow });
    const reason = new Error('stopped');
    await expect(model.score(tiles, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(model.score({ data: new Float32Array(3), shape: [1, 1, 1, 4] })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    expect(choices).toHaveLength(1);
  });

  it('an abort during the trial ends it, and closes both devices', async () => {
    const controller = new AbortController();
    const reason = new Error('stopped');
    const disposed: string[] = [];
    const open = async (device: 'webgpu' | 'wasm') => {
      if (device === 'webgpu') controller.abort(reason);
      return { ...slow(), dispose: async () => void disposed.push(device) };
    };
    await expect(chooseDevice(open, { spec: slow().spec, signal: controller.signal })).rejects.toBe(reason);
    expect(disposed.sort()).toEqual(['wasm', 'webgpu']);
  });
});
