import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { CryoetPicksError } from '../core/errors.ts';
import { directoryStore } from '../node/directory-store.ts';
import { openBrowser } from '../node/open-browser.ts';
import { packageFile } from '../node/package-file.ts';
import { type ServedSite, serveStores } from '../node/store-server.ts';
import { memoryStore, type ReadableStore } from '../storage/store.ts';
import type { ViewRuntime, ViewSession } from '../web/session.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { type Terminal, visibleJson } from './terminal.ts';
import { openTarget, type TargetOptions, type ViewTarget } from './view-target.ts';

/** The arguments of `view`. */
export interface ViewInput extends CommonFlags, TargetOptions {
  /** The only port to try. */
  readonly port?: number | undefined;
  /** False: the browser is not opened. */
  readonly open: boolean;
  /** Folder of the built page. @defaultValue that of the package */
  readonly page?: string | undefined;
}

/** Shows a project or volumes in a page, which this program serves until it is interrupted. */
export async function view(terminal: Terminal, input: ViewInput): Promise<Outcome> {
  const { signal } = terminal;
  const page = input.page ?? pageFolder();
  const runtime = await findRuntime();
  const target = await openTarget(terminal, input);
  const session = sessionOf(target, runtime);
  const server = await serveStores(
    { data: target.data, files: pageFiles(page, session, runtime) },
    { port: input.port },
  );
  try {
    const isOpened = input.open && openBrowser(server.ticket());
    const document = { address: server.address, writable: session.writable };
    if (input.json) await terminal.write(`${visibleJson(document)}\n`);
    terminal.print(...announcement(server.address, { session, isOpened }));
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await server.close();
  }
  return { json: undefined };
}

function announcement(
  address: string,
  { session, isOpened }: { readonly session: ViewSession; readonly isOpened: boolean },
): string[] {
  const { title, writable, userId, sessionId, runtime, install } = session;
  const { port } = new URL(address);
  const what = title === '' ? 'A page in which data can be opened' : title;
  const saved = writable
    ? [`What you save goes into its overlay, as user ${userId}, session ${sessionId}.`]
    : ['Nothing can be saved into it; picks can be exported.'];
  return [
    `${what} is shown at`,
    '',
    `  ${address}`,
    '',
    ...(title === '' ? [] : saved),
    'Only this machine can reach it, and only with the whole address.',
    ...(isOpened
      ? []
      : [`From another machine: ssh -L ${port}:127.0.0.1:${port} THIS_MACHINE, then open the address there.`]),
    ...(runtime === undefined ? [`To detect particles in the page: ${install}, then start view again.`] : []),
    'Ctrl-C ends it.',
  ];
}

/** The folder of the built page. @throws {@link CryoetPicksError} `not-found` where the package has none. */
export function pageFolder(): string {
  const index = packageFile('dist/page/index.html');
  if (index !== undefined) return dirname(index);
  throw new CryoetPicksError(
    'not-found',
    'the page is not in this package (dist/page); in a checkout, build it: npm run build',
  );
}

/** What the page is told. */
export function sessionOf(
  { data: _, ...target }: ViewTarget,
  runtime: InstalledRuntime | undefined,
  { isExport = false }: { readonly isExport?: boolean } = {},
): ViewSession {
  return {
    version: 1,
    packageVersion: manifest.version,
    ...target,
    ...(runtime && { runtime: runtime.modules }),
    install: 'npm install onnxruntime-web',
    model: { network: './model/default.onnx', card: './model/default.json' },
    isExport,
  };
}

/** The files beside the data: the page, what it is told, the network of the package, and the runtime. */
function pageFiles(page: string, session: ViewSession, runtime: InstalledRuntime | undefined): ServedSite['files'] {
  const json = new TextEncoder().encode(JSON.stringify(session));
  const files = new Map<string, ReadableStore>([
    ['', readOnly(page)],
    ['session.json', memoryStore([['/session.json', json]])],
  ]);
  const network = packageFile('models/default.onnx');
  if (network !== undefined) files.set('model', readOnly(dirname(network)));
  if (runtime !== undefined) files.set('ort', readOnly(runtime.folder));
  return files;
}

const readOnly = (folder: string) => directoryStore(folder, { readOnly: true });

/** An installed onnxruntime-web. */
export interface InstalledRuntime {
  /** The folder of its modules. */
  readonly folder: string;
  readonly modules: ViewRuntime;
}

/** Finds onnxruntime-web where this package is installed, or in the working directory; its code runs in the page. */
export async function findRuntime(
  places: readonly string[] = [import.meta.url, join(process.cwd(), 'index.js')],
): Promise<InstalledRuntime | undefined> {
  for (const place of places) {
    const folder = runtimeFolder(place);
    if (folder === undefined) continue;
    const { version } = JSON.parse(await readFile(join(folder, '../package.json'), 'utf8')) as { version: string };
    return {
      folder,
      modules: { version, wasm: './ort/ort.wasm.bundle.min.mjs', webgpu: './ort/ort.webgpu.bundle.min.mjs' },
    };
  }
  return undefined;
}

function runtimeFolder(place: string): string | undefined {
  try {
    const folder = dirname(createRequire(place).resolve('onnxruntime-web/wasm'));
    return existsSync(join(folder, 'ort.wasm.bundle.min.mjs')) ? folder : undefined;
  } catch {
    return undefined;
  }
}
