import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CryoetPicksError,
  contiguousVolume,
  httpStore,
  memoryStore,
  openTomogram,
  type ReadableStore,
  type Store,
  type StoreKey,
  sourceFromArray,
  toFloat32,
  writeTomogram,
} from '../../../src/entry/index.ts';
import { s3Store, storeReader, zipStore } from '../../../src/entry/io.ts';
import { isListable } from '../../../src/storage/store.ts';
import { serveBytes } from '../scripted-server.ts';
import { zipBytes } from '../zip-bytes.ts';
import { type Fault, faults } from './cases.ts';

/** The kinds of stores that faults are tried on: how the image lies on the server, and how it is opened. */
export const kinds = ['chunk files', 'shards', 'bucket', 'zip file'] as const;
export type Kind = (typeof kinds)[number];

/** What came of an image on a faulty server. */
export interface Verdict {
  readonly fault: string;
  readonly kind: Kind;
  /**
   * `right`: all voxels; `told`: an error of the library; `warned`: a warning, and the fill value; `wrong`: other voxels without a
   * word; `raw`: an error of something else.
   */
  readonly outcome: 'right' | 'told' | 'warned' | 'wrong' | 'raw';
  readonly message: string;
  readonly seconds: number;
  /** Growth of the largest resident memory of the process, in MB. */
  readonly megabytes: number;
}

const shape = [24, 24, 24] as const;
const data = Float32Array.from({ length: 24 ** 3 }, (_, i) => Math.sin(i / 7) + (i % 24));

/** The files on the server, by path. */
async function filesOf(kind: Kind): Promise<Map<string, Uint8Array>> {
  const store = memoryStore();
  const source = sourceFromArray(contiguousVolume(data, shape), { voxelSize: [10, 10, 10] });
  const format = kind === 'shards' ? 'zarr3' : 'zarr2';
  await writeTomogram(store, source, { levels: 1, chunkShape: [12, 12, 24], format });
  const files = new Map<string, Uint8Array>();
  await collect(store, '/', files);
  if (kind !== 'zip file') return files;
  const entries = [...files].map(([name, bytes]) => ({ name: name.slice(1), data: bytes }));
  return new Map([['/image.zip', zipBytes(entries)]]);
}

async function collect(store: Store, folder: StoreKey, files: Map<string, Uint8Array>): Promise<void> {
  for (const { name, kind } of await store.list(folder)) {
    const key = `${folder === '/' ? '' : folder}/${name}` as StoreKey;
    if (kind === 'folder') await collect(store, key, files);
    else files.set(key, (await store.get(key))!);
  }
}

const options = { tries: 2, retryFor: 3000, timeout: 1000, maxMetadataBytes: 2 ** 22, maxFileBytes: 2 ** 24 };

function storeOf(kind: Kind, url: string): ReadableStore {
  if (kind === 'chunk files' || kind === 'shards') return httpStore(url, options);
  if (kind === 'bucket') return s3Store('s3://bucket', { endpoint: url, addressing: 'path', ...options });
  return zipStore(storeReader(httpStore(url, options), '/image.zip'));
}

/** Reads an image twice from a server with a fault, and compares its voxels. */
export async function tryFault(fault: Fault, kind: Kind): Promise<Verdict> {
  const files = await filesOf(kind);
  const state = { pass: 0 };
  const server = await serve(fault, files, state);
  const { maxRSS } = process.resourceUsage();
  const start = performance.now();
  const verdict = await outcomeOf(kind, server.url, state);
  const seconds = (performance.now() - start) / 1000;
  await server.close();
  const megabytes = (process.resourceUsage().maxRSS - maxRSS) / 1000;
  return { fault: fault.name, kind, seconds, megabytes, ...verdict };
}

async function outcomeOf(
  kind: Kind,
  url: string,
  state: { pass: number },
): Promise<Pick<Verdict, 'outcome' | 'message'>> {
  try {
    const store = storeOf(kind, url);
    if (isListable(store)) await store.list('/');
    const tomogram = await openTomogram(store, { cacheBytes: 0 });
    for (state.pass = 1; state.pass <= 2; state.pass++) {
      const { data: found } = toFloat32(await tomogram.read({ start: [0, 0, 0], end: shape }));
      if (found.every((value, i) => value === data[i])) continue;
      const [warning] = tomogram.warnings();
      return { outcome: warning ? 'warned' : 'wrong', message: warning?.message ?? `pass ${state.pass}` };
    }
    return { outcome: 'right', message: '' };
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { outcome: error instanceof CryoetPicksError ? 'told' : 'raw', message };
  }
}

async function serve(
  fault: Fault,
  files: ReadonlyMap<string, Uint8Array>,
  state: { readonly pass: number },
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const asked = new Map<string, number>();
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0]!).replace(/^\/bucket(?=\/|$)/, '') || '/';
    const name = `${path} ${request.headers.range ?? ''}`;
    const before = asked.get(name) ?? 0;
    asked.set(name, before + 1);
    const isListing = request.url?.includes('list-type=2') ?? false;
    const value = isListing ? listing(files) : files.get(path);
    const isMetadata =
      isListing ||
      value === undefined ||
      /\/(\.z\w+|zarr\.json)$/.test(path) ||
      (path.endsWith('.zip') && state.pass === 0);
    const other = [...files].find(([key, bytes]) => key !== path && bytes !== value && /\d$/.test(key))?.[1];
    fault.answer({
      request,
      response,
      value,
      pass: state.pass,
      before,
      isMetadata,
      other: other ?? value ?? new Uint8Array(0),
      right: (bytes = value, headers = {}) => {
        for (const [header, text] of Object.entries(headers)) response.setHeader(header, text);
        serveBytes(request, response, bytes);
      },
    });
  });
  server.on('clientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** The top of a bucket, as ListObjectsV2 answers it. */
function listing(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const names = [...files.keys()].map((key) => key.slice(1)).filter((key) => !key.includes('/'));
  const contents = names.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('');
  return new TextEncoder().encode(`<ListBucketResult><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`);
}

/** What is wrong with a verdict; `undefined` if it is as it must be. */
export function faultOf({ fault, outcome, seconds, megabytes }: Verdict): string | undefined {
  const isUntellable = faults.find(({ name }) => name === fault)?.isUntellable ?? false;
  if (outcome === 'raw') return 'an error of something else than the library';
  if (outcome === 'wrong' && !isUntellable) return 'wrong voxels without a word';
  if (fault === 'no fault' && outcome !== 'right') return 'no image from a server without a fault';
  if (seconds > 30) return `it took ${seconds.toFixed(1)} s`;
  return megabytes > 300 ? `it took ${megabytes.toFixed(0)} MB` : undefined;
}
