import { isCryoetPicksError, type Store } from '../../src/entry/index.ts';
import { handleStore, loadModel } from '../../src/entry/web.ts';
import { patch } from './patch.ts';

/** What a page found. */
export interface WebResult {
  /** Whether its threads may share memory. */
  readonly isIsolated: boolean;
  readonly store: StoreResult;
  readonly logits: readonly number[];
  readonly transferred: { readonly movedAway: boolean; readonly cameBack: boolean };
  readonly sha256: string | undefined;
  /** Codes of the errors that were expected. */
  readonly codes: Readonly<Record<string, string>>;
}

interface StoreResult {
  readonly part: readonly number[];
  readonly tail: readonly number[];
  readonly size: number | undefined;
  readonly names: readonly string[];
  readonly absent: readonly unknown[];
  readonly versions: readonly boolean[];
  readonly afterConflict: readonly number[];
  readonly winners: number;
  readonly codes: readonly string[];
  readonly afterDelete: readonly string[];
}

const codeOf = async (act: () => Promise<unknown>): Promise<string> => {
  try {
    await act();
    return 'none';
  } catch (error) {
    return isCryoetPicksError(error) ? error.code : String(error);
  }
};

/** Writes, reads, lists, replaces and deletes in a folder of the browser's own. */
async function useStore(): Promise<StoreResult> {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(`test-${Math.random()}`, { create: true });
  const store: Store = handleStore(directory);
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  await store.set('/a/b/c.bin', bytes);
  await store.set('/a/x.json', new Uint8Array(3));
  const first = await store.version!('/a/x.json');
  await store.set('/a/x.json', new Uint8Array([1]), { ifVersion: first });
  const second = await store.version!('/a/x.json');
  const conflict = await codeOf(() => store.set('/a/x.json', new Uint8Array([2]), { ifVersion: first }));
  const taken = await codeOf(() => store.set('/a/x.json', new Uint8Array([2]), { ifVersion: null }));
  const afterConflict = [...(await store.get('/a/x.json'))!];
  const race = await Promise.all(
    [5, 6, 7].map((value) => codeOf(() => store.set('/a/x.json', new Uint8Array([value]), { ifVersion: second }))),
  );
  const aborted = await codeOf(() => store.set('/a/z', bytes, { signal: AbortSignal.abort() }));
  const readOnly = handleStore(directory, { readOnly: true });
  const refused = await codeOf(() => readOnly.set('/a/y', bytes));
  const folder = await codeOf(() => store.get('/a/b'));
  const blocked = await codeOf(() => store.set('/a/x.json/y', bytes));
  const part = (await store.getRange('/a/b/c.bin', { offset: 7, length: 3 }))!;
  const tail = (await readOnly.getRange('/a/b/c.bin', { suffixLength: 2 }))!;
  const parts = { part: [...part], tail: [...tail], size: await store.size!('/a/b/c.bin') };
  const names = (await store.list('/a')).map(({ name, kind }) => `${name} ${kind}`);
  await store.delete('/a/b');
  await store.delete('/absent');
  return {
    ...parts,
    names,
    absent: [await store.get('/nowhere/x'), await store.version!('/nowhere'), (await store.list('/nowhere')).length],
    versions: [first !== second, /^[0-9a-f]{32}@/.test(first!)],
    afterConflict,
    winners: race.filter((code) => code === 'none').length,
    codes: [conflict, taken, aborted.replace(/:.*/, ''), refused, folder, blocked],
    afterDelete: (await store.list('/a')).map(({ name }) => name),
  };
}

async function run(): Promise<WebResult> {
  const ort = new URL('./ort/ort.wasm.bundle.min.mjs', document.baseURI);
  const unet = './unet/unet.onnx';
  const model = await loadModel(ort, unet);
  const { data } = await model.score(patch());
  const given = patch();
  const back = await model.score(given, { transfer: true });
  const transferred = { movedAway: given.data.length === 0, cameBack: back.tiles?.length === patch().data.length };
  const controller = new AbortController();
  const aborted = codeOf(() => model.score(patch(), { signal: controller.signal }));
  controller.abort(new Error('stopped'));
  const codes: Record<string, string> = {
    moved: await codeOf(() => model.score(given)),
    aborted: await aborted,
    absentNetwork: await codeOf(() => loadModel(ort, './unet/absent.onnx')),
    noCard: await codeOf(() => loadModel(ort, new Uint8Array(4))),
    notOnnx: await codeOf(() => loadModel(ort, new Uint8Array(4), { spec: model.spec })),
    noRuntime: await codeOf(() => loadModel('./ort/absent.mjs', unet)),
    noScript: await codeOf(() => loadModel(ort, unet, { script: './absent.js' })),
    noDevice: await codeOf(() => loadModel(ort, unet, { device: 'abacus' as never })),
  };
  const pending = codeOf(() => model.score(patch()));
  await model.dispose();
  codes.disposedWhileComputing = await pending;
  codes.disposed = await codeOf(() => model.score(patch()));
  const isIsolated = globalThis.crossOriginIsolated;
  return {
    isIsolated,
    store: await useStore(),
    logits: [...data],
    transferred,
    sha256: model.sha256,
    codes,
  };
}

run().then(
  (result) => Object.assign(globalThis, { pageResult: result }),
  (error: Error) => Object.assign(globalThis, { pageResult: { error: `${error.message}\n${error.stack}` } }),
);
