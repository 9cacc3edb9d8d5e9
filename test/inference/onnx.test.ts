import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type ModelSpec, type OrtModule, onnxModel, planTiles, scoreSlabs } from '../../src/entry/index.ts';
import { fakeSpec } from '../support/identity-model.ts';
import { joinSlabs } from '../support/score-map.ts';
import { sourceOf } from '../support/volumes.ts';

const path = (name: string) => fileURLToPath(new URL(`../fixtures/onnx/${name}.onnx`, import.meta.url));
const bytes = (name: string) => readFileSync(path(name));
const spec = (fields: Partial<ModelSpec> = {}) => fakeSpec({ name: 'tiny', ...fields });
const ramp = (length: number) => Float32Array.from({ length }, (_, i) => i);

describe('onnxModel', () => {
  it.each([
    ['bytes', bytes('identity')],
    ['an ArrayBuffer', Uint8Array.from(bytes('identity')).buffer],
    ['a path', path('identity')],
  ])('onnxModel runs a network given as %s', async (_, file) => {
    const model = await onnxModel(ort, file, { spec: spec(), threads: 1, executionProviders: ['cpu'] });
    const scores = await model.score({ data: ramp(2 * 8), shape: [2, 2, 2, 2] });
    expect(scores.shape).toEqual([2, 1, 2, 2, 2]);
    expect(scores.data).toEqual(ramp(16));
    await model.dispose();
  });

  it('onnxModel gives scores of several classes at stride 2, in the card’s order, through the runner', async () => {
    const model = await onnxModel(ort, bytes('two-classes-stride-two'), {
      spec: spec({ tile: [4, 4, 4], outputStride: 2, classes: ['a', 'b'] }),
    });
    const shape = [4, 4, 10] as const;
    const plan = planTiles(shape, { tile: [4, 4, 4], outputStride: 2 });
    const source = sourceOf(ramp(160), shape);
    const map = await joinSlabs(scoreSlabs(source, { plan, model, batch: 2 }));
    // Class k scores (k + 1) × the mean of the cell + k; the first cell holds 0, 1, 10, 11, 40, 41, 50, 51.
    expect(map.shape).toEqual([2, 2, 2, 5]);
    expect(map.data[0]).toBeCloseTo(25.5, 4);
    expect(map.data[1]).toBeCloseTo(27.5, 4);
    expect(map.data[20]).toBeCloseTo(2 * 25.5 + 1, 4);
    await model.dispose();
  });

  it.each([1, 2, 3, 5])('onnxModel runs a network of fixed batch size on %d tiles', async (n) => {
    const model = await onnxModel(ort, bytes('identity-batch-of-two'), { spec: spec() });
    const scores = await model.score({ data: ramp(n * 8), shape: [n, 2, 2, 2] });
    expect(scores.shape).toEqual([n, 1, 2, 2, 2]);
    expect(scores.data).toEqual(ramp(n * 8));
    await model.dispose();
  });

  it('onnxModel gives scores that stay valid when it scores again and is disposed', async () => {
    const model = await onnxModel(ort, bytes('identity'), { spec: spec() });
    const first = await model.score({ data: ramp(8), shape: [1, 2, 2, 2] });
    await model.score({ data: new Float32Array(8), shape: [1, 2, 2, 2] });
    await model.dispose();
    expect(first.data).toEqual(ramp(8));
  });

  it.each<[string, string, Partial<ModelSpec>, string]>([
    [
      'four dimensions',
      'rank-four',
      {},
      'input "tiles" has shape [n, z, y, x], 4 dimensions; expected 5: [n, channel, z, y, x]',
    ],
    ['two channels', 'two-channels', {}, 'tomograms have one channel, so channel must be 1, not 2'],
    [
      'other classes than its card',
      'two-classes-stride-two',
      { outputStride: 2, classes: ['a', 'b', 'c'] },
      'output "scores" has shape [n, 2, sz, sy, sx]; its card names 3 classes, so class must be 3, not 2',
    ],
    [
      'another tile than its card',
      'identity-fixed-tile',
      {},
      'input "tiles" has shape [1, 1, 4, 4, 4]; the card\'s tile is 8×8×8 voxels, so z must be 8, not 4',
    ],
    [
      'another stride than its card',
      'identity-fixed-tile',
      { tile: [4, 4, 4], outputStride: 2 },
      'output "scores" has shape [1, 1, 4, 4, 4]; the card\'s tile is 4×4×4 voxels, so z must be 2, not 4',
    ],
    [
      'a size of its own where the card says that tiles may be smaller',
      'identity-fixed-tile',
      { tile: [4, 4, 4], tileMultiple: 2 },
      'its card has a tileMultiple, so tiles may be smaller than 4×4×4, but input "tiles" has shape [1, 1, 4, 4, 4]',
    ],
    ['two inputs', 'two-inputs', {}, 'model "tiny" has 2 inputs ("tiles", "more"); expected one'],
    ['two scores', 'two-outputs-more', {}, 'model "tiny" has 2 outputs ("scores", "more"); expected one'],
  ])('onnxModel throws for a network with %s', async (_, name, fields, message) => {
    await expect(onnxModel(ort, bytes(name), { spec: spec(fields) })).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringContaining(message),
    });
  });

  it('onnxModel takes a network with features beside its scores, and returns the scores alone', async () => {
    const model = await onnxModel(ort, bytes('two-outputs-features'), { spec: spec({}) });
    const data = Float32Array.from({ length: 8 }, (_, i) => i);
    const scores = await model.score({ data, shape: [1, 2, 2, 2] });
    expect(scores.shape).toEqual([1, 1, 2, 2, 2]);
    expect([...scores.data]).toEqual([...data]);
    await model.dispose();
  });

  it('onnxModel refuses a class count that shows only in the scores', async () => {
    const model = await onnxModel(ort, bytes('class-count-unknown'), { spec: spec({ tile: [4, 4, 4] }) });
    const plan = planTiles([4, 4, 4], { tile: [4, 4, 4] });
    const source = sourceOf(new Float32Array(64).fill(2), [4, 4, 4]);
    await expect(scoreSlabs(source, { plan, model }).next()).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringContaining('scores of shape 1×2×4×4×4 for the tile at voxel 0×0×0; expected 1×1×4×4×4'),
    });
    await model.dispose();
  });

  it('onnxModel refuses a tile that the file does not take, before it runs', async () => {
    const model = await onnxModel(ort, bytes('identity-fixed-tile'), { spec: spec({ tile: [4, 4, 4] }) });
    await expect(model.score({ data: ramp(8), shape: [1, 2, 2, 2] })).rejects.toMatchObject({
      code: 'model-failed',
      message: 'model "tiny" takes tiles of 4×4×4 voxels only, found 2×2×2',
    });
    await model.dispose();
  });

  it('onnxModel wraps what the runtime says when a network fails on a tile', async () => {
    const model = await onnxModel(ort, bytes('fails-at-run'), { spec: spec({ tile: [3, 3, 3] }) });
    await expect(model.score({ data: ramp(8), shape: [1, 2, 2, 2] })).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringContaining('model "tiny" failed on 1 tile(s) of 2×2×2 voxels: '),
      cause: expect.any(Error),
    });
    await model.dispose();
  });

  it.each([
    ['not a network', Uint8Array.of(1, 2, 3), 'cannot load model "tiny" from 3 bytes: '],
    ['missing', '/nowhere/net.onnx', 'cannot load model "tiny" from /nowhere/net.onnx: '],
  ])('onnxModel throws for a file that is %s', async (_, file, message) => {
    await expect(onnxModel(ort, file, { spec: spec() })).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringContaining(message),
      cause: expect.any(Error),
    });
  });

  describe('device', () => {
    /** A runtime that keeps the options of its sessions, and says what it offers. */
    function runtime(offers: { name: string; bundled: boolean }[] | undefined, fails = false) {
      const asked: unknown[] = [];
      const fake: OrtModule = {
        Tensor: ort.Tensor,
        ...(offers && { listSupportedBackends: () => offers }),
        InferenceSession: {
          create(...args: unknown[]) {
            const options = args.at(-1) as ort.InferenceSession.SessionOptions;
            asked.push(options.executionProviders);
            if (fails) throw new Error('no driver');
            return ort.InferenceSession.create(args[0] as Uint8Array);
          },
        },
      };
      return { fake, asked };
    }
    const offers = [
      { name: 'cpu', bundled: true },
      { name: 'cuda', bundled: false },
      { name: 'tensorrt', bundled: false },
    ];
    const load = (fake: OrtModule, options: object) => onnxModel(fake, bytes('identity'), { spec: spec(), ...options });

    it('the device becomes the one execution provider of the session', async () => {
      for (const [device, listed] of [
        ['cuda', offers],
        ['webgpu', undefined],
      ] as const) {
        const { fake, asked } = runtime(listed && [...listed]);
        await (await load(fake, { device })).dispose();
        expect(asked).toEqual([[device]]);
      }
      const { fake, asked } = runtime(offers);
      await (await load(fake, {})).dispose();
      expect(asked).toEqual([undefined]);
    });

    it.each([
      [
        'the runtime does not offer',
        { device: 'dml' },
        'this ONNX runtime does not compute on device "dml"; it offers "cpu", and "cuda" once their libraries are installed',
      ],
      [
        'is unknown',
        { device: 'gpu' },
        'device "gpu" is unknown; known: "cpu", "wasm", "webgpu", "cuda", "dml", "coreml"',
      ],
      [
        'comes with execution providers',
        { device: 'cpu', executionProviders: ['cpu'] },
        'device and executionProviders both say where to compute; pass one of them',
      ],
    ])('the device is refused before the network is loaded if it %s', async (_, options, message) => {
      const { fake, asked } = runtime(offers);
      await expect(load(fake, options)).rejects.toMatchObject({ code: 'invalid-option', message });
      expect(asked).toEqual([]);
    });

    it.each([
      [offers, 'it offers "cpu", and "cuda" once their libraries are installed'],
      [undefined, 'it does not say what it offers: onnxruntime-web offers "wasm" and, in some browsers, "webgpu"'],
    ])(
      'the device is named, with the reason and what the runtime offers, if it cannot be opened',
      async (listed, says) => {
        const { fake, asked } = runtime(listed, true);
        await expect(load(fake, { device: 'cuda' })).rejects.toMatchObject({
          code: 'model-failed',
          message: expect.stringMatching(
            new RegExp(
              `^cannot load model "tiny" from \\d+ bytes on device "cuda": no driver; of this ONNX runtime: ${says}$`,
            ),
          ),
        });
        expect(asked).toEqual([['cuda']]);
      },
    );

    it('the device of onnxruntime-node is "cpu"; a device of another system is refused', async () => {
      const model = await load(ort, { device: 'cpu' });
      expect((await model.score({ data: ramp(8), shape: [1, 2, 2, 2] })).data).toEqual(ramp(8));
      await model.dispose();
      const offered = ort.listSupportedBackends().map(({ name }) => name);
      const absent = (['dml', 'coreml'] as const).find((name) => !offered.includes(name))!;
      await expect(load(ort, { device: absent })).rejects.toMatchObject({
        code: 'invalid-option',
        message: expect.stringMatching(
          new RegExp(`^this ONNX runtime does not compute on device "${absent}"; it offers "cpu"`),
        ),
      });
    });
  });

  it('onnxModel stops at an abort before and after loading, and between runs', async () => {
    const before = AbortSignal.abort('before');
    await expect(onnxModel(ort, bytes('identity'), { spec: spec(), signal: before })).rejects.toBe('before');

    const controller = new AbortController();
    let released = 0;
    const slow: OrtModule = {
      Tensor: ort.Tensor,
      InferenceSession: {
        async create(...args: unknown[]) {
          const session = await ort.InferenceSession.create(args[0] as Uint8Array);
          const release = session.release.bind(session);
          session.release = () => {
            released++;
            return release();
          };
          controller.abort('meanwhile');
          return session;
        },
      },
    };
    const { signal } = controller;
    await expect(onnxModel(slow, bytes('identity'), { spec: spec(), signal })).rejects.toBe('meanwhile');
    expect(released).toBe(1);

    const model = await onnxModel(ort, bytes('identity'), { spec: spec() });
    await expect(model.score({ data: ramp(8), shape: [1, 2, 2, 2] }, { signal })).rejects.toBe('meanwhile');
    await model.dispose();
  });
});

it.each([
  ['webgpu', '1'],
  ['cuda', '1'],
  ['wasm', undefined],
] as const)(
  'onnxModel on device %s lets the runtime fall back to the processor only if that is the device',
  async (device, expected) => {
    let extra: Record<string, unknown> | undefined;
    const create = async (_: unknown, options: { extra?: Record<string, Record<string, unknown>> }) => {
      extra = options.extra?.session;
      throw new Error('enough');
    };
    const fake = { InferenceSession: { create }, Tensor: ort.Tensor } as never;
    await expect(onnxModel(fake, new Uint8Array(1), { spec: fakeSpec(), device })).rejects.toMatchObject({
      code: 'model-failed',
    });
    expect(extra?.disable_cpu_ep_fallback).toBe(expected);
  },
);
