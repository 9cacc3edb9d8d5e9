import { describe, expect, it } from 'vitest';
import { newConfig, projectFromStores } from '../src/entry/copick.ts';
import { csvFormat } from '../src/entry/formats.ts';
import {
  contiguousVolume,
  detectParticles,
  formatPicks,
  formatSubmission,
  functionModel,
  httpStore,
  memoryStore,
  openTomogram,
  parsePicks,
  sourceFromArray,
  writeTomogram,
} from '../src/entry/index.ts';
import { zipStore } from '../src/entry/io.ts';
import { loadModel } from '../src/entry/node.ts';

const refusal = (message: string) => ({ code: 'invalid-option', message: expect.stringContaining(message) });
/** What plain JavaScript lets pass. */
const any = (value: unknown) => value as never;
const thrown = (act: () => unknown) => expect(async () => act()).rejects;

describe('what plain JavaScript may hand in by mistake', () => {
  it('a value that is not a store is refused with the name of a function that makes one', async () => {
    await expect(openTomogram(any('/data/x.zarr'))).rejects.toMatchObject(
      refusal('found "/data/x.zarr"; wrap a path in'),
    );
    await expect(openTomogram(any(undefined))).rejects.toMatchObject(refusal('expected a store, found undefined'));
    const url = any(new URL('https://example.org/x.zarr?key=secret'));
    await expect(openTomogram(url)).rejects.toMatchObject(refusal('the URL https://example.org/x.zarr; wrap'));
    const source = sourceFromArray(contiguousVolume(new Float32Array(8), [2, 2, 2]));
    await expect(writeTomogram(any('x.zarr'), source)).rejects.toMatchObject(refusal('directoryStore(path)'));
    await expect(writeTomogram(memoryStore(), source, { levels: any('3') })).rejects.toMatchObject(
      refusal('levels is "3"'),
    );
  });

  it('values that are not a tomogram and a model are refused', async () => {
    const tomogram = sourceFromArray(contiguousVolume(new Float32Array(8), [2, 2, 2]));
    const model = functionModel((voxels) => voxels, { classes: ['ribosome'] });
    const noModel = refusal('pass a model, such as `await loadModel(ort)`: detectParticles(tomogram, { model })');
    await expect(detectParticles(tomogram, any(undefined))).rejects.toMatchObject(noModel);
    await expect(detectParticles(tomogram, any({}))).rejects.toMatchObject(noModel);
    await expect(detectParticles(tomogram, any({ model: Promise.resolve(model) }))).rejects.toMatchObject(
      refusal('model must be a model, such as `await loadModel(ort)`, found a promise; is an `await` missing?'),
    );
    const noTomogram = (found: string) => refusal(`: detectParticles(tomogram, { model }); found ${found}`);
    await expect(detectParticles(any({}), { model })).rejects.toMatchObject(noTomogram('an object without fields'));
    await expect(detectParticles(any(undefined), { model })).rejects.toMatchObject(noTomogram('undefined'));
    const promise = any(Promise.resolve(tomogram));
    await expect(detectParticles(promise, { model })).rejects.toMatchObject(noTomogram('a promise'));
  });

  it('a run refuses to write what belongs to another call, and names that call', async () => {
    const config = newConfig({ overlayRoot: 'overlay', objects: [{ name: 'ribosome' }] });
    const run = await projectFromStores({ config, overlay: memoryStore() }).createRun('TS_1');
    await expect(run.writePicks([], any(undefined))).rejects.toMatchObject(
      refusal('run.writePicks: options must be an object, { userId, sessionId,'),
    );
    const ids = { userId: 'me', sessionId: '0' };
    await expect(run.writePicks([], any({ ...ids, sessionId: 0 }))).rejects.toMatchObject(
      refusal('run.writePicks: sessionId must be a string, found 0'),
    );
    await expect(run.writePicks(any(Promise.resolve([])), ids)).rejects.toMatchObject(
      refusal('run.writePicks: picks must be a list of picks'),
    );

    const source = sourceFromArray(contiguousVolume(new Float32Array(8), [2, 2, 2]), { voxelSize: [10, 10, 10] });
    const wanted = ": run.writeTomogram(source, { type: 'denoised' })";
    await expect(run.writeTomogram(any('denoised'), any(source))).rejects.toMatchObject(
      refusal(`${wanted}; found "denoised"`),
    );
    await expect(run.writeTomogram(source, any(undefined))).rejects.toMatchObject(
      refusal('run.writeTomogram: options must be an object'),
    );
    await expect(run.writeTomogram(source, any({}))).rejects.toMatchObject(refusal(wanted));
    await expect(run.writeFilaments([], any({ object: 'ribosome' }))).rejects.toMatchObject(
      refusal('run.writeFilaments: userId must be a string, found undefined'),
    );
    expect([await run.pickSets(), await run.tomograms(), await run.meshes()]).toEqual([[], [], []]);
  });

  it('a value that is not a zip file is refused', async () => {
    await thrown(() => zipStore(any('https://example.org/x.zip'))).toMatchObject(refusal('give new URL(…), a Blob'));
  });

  it.each(['unet.onnx', undefined, {}])('a value that is not a runtime is refused: %j', async (ort) => {
    await expect(loadModel(any(ort))).rejects.toMatchObject(
      refusal("loadModel: ort must be ONNX Runtime, import * as ort from 'onnxruntime-node'"),
    );
  });

  it('values that are not a format or runs are refused', async () => {
    const pick = { object: 'a', position: { x: 1, y: 2, z: 3 }, score: 1 };
    const format = any('csv');
    await thrown(() => parsePicks('', { format })).toMatchObject(
      refusal('format must be a format of cryoet-picks/formats, such as csvFormat(), found "csv"'),
    );
    await thrown(() => formatPicks([], { format })).toMatchObject(refusal('such as csvFormat()'));
    const bare = any([pick]);
    await thrown(() => formatPicks(bare, { format: csvFormat() })).toMatchObject(refusal('runs[0].run must be'));
    await thrown(() => formatSubmission(bare)).toMatchObject(refusal('runs[0].run must be'));
  });

  it('openTomogram names the address if nothing is there', async () => {
    const store = httpStore('https://example.org/x.zarr', { fetch: async () => new Response(null, { status: 404 }) });
    await expect(openTomogram(store)).rejects.toThrow('nothing was found there (404)');
  });
});
