import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { folderOf } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import { recordKey } from '../copick/provenance.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import type { Model } from '../inference/model.ts';
import { directoryStore } from '../node/directory-store.ts';
import { packageFile } from '../node/package-file.ts';
import { keyOf } from '../node/request-path.ts';
import { difficulties } from '../simulate/tomogram.ts';
import type { Zyx } from '../space/grid.ts';
import { joinKey, type ListableStore, type Store, type StoreKey } from '../storage/store.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { detectRuns } from './detect.ts';
import { buildFolder, openCopick } from './files.ts';
import { openModel } from './runtime.ts';
import { simulateInto } from './simulate.ts';
import { describeFailure, type Terminal, UsageError } from './terminal.ts';
import { findRuntime, type InstalledRuntime, pageFolder, sessionOf } from './view.ts';
import { serveProject } from './view-target.ts';

/** The arguments of `view --export`. */
export interface ExportInput extends CommonFlags {
  /** The folder to write. */
  readonly export: string;
  /** Nothing else can be exported. */
  readonly path?: string | undefined;
  /** Folder of the built page. @defaultValue that of the package */
  readonly page?: string | undefined;
  /** Voxels of the sample. @defaultValue `[96, 320, 320]` */
  readonly shape?: Zyx | undefined;
  /** Loads the network that searches the sample. @defaultValue the network of the package, in onnxruntime-node or -web */
  readonly loadNetwork?: ((terminal: Terminal) => Promise<Model>) | undefined;
}

/**
 * Writes the page, with the runtime if it is installed and a simulated project, as files that any web server can serve in the layout
 * in which `view` serves them. The project has picks of the network, with candidates, if a runtime can be loaded here.
 */
export async function exportPage(terminal: Terminal, input: ExportInput): Promise<Outcome> {
  const { export: directory, path: project, shape = [96, 320, 320] } = input;
  if (project !== undefined) {
    throw new UsageError(`--export writes the page with a simulated project, so leave out ${project}; view shows it`);
  }
  const { page = pageFolder(), loadNetwork = openModel } = input;
  const runtime = await findRuntime();
  await buildFolder(directory, {
    async build(folder) {
      await copyFiles(page, folder);
      await copyFiles(dirname(packageFile('models/default.onnx')!), join(folder, 'model'));
      if (runtime) await copyRuntime(runtime, join(folder, 'ort'));
      const data = join(folder, 'data');
      await simulateInto(terminal, { folder: data, runs: 1, seed: 1, shape, ...difficulties.clean });
      const project = await openCopick(terminal, join(data, 'copick.json'));
      await detectSample(terminal, project, loadNetwork);
      await writeSession(terminal, { folder, project, runtime });
      await writeData(project, { data, lists: join(folder, 'list') });
      // GitHub Pages leaves out names that begin with a dot, as those of Zarr do, unless this file is there.
      await writeFile(join(folder, '.nojekyll'), '');
    },
  });
  const path = resolve(directory);
  terminal.print(
    `${path} holds the page with a simulated project, for any web server; for example: npx http-server ${path}`,
  );
  if (!runtime) {
    terminal.warn(
      'cryoet-picks: onnxruntime-web is not installed, so the exported page cannot detect: npm install onnxruntime-web',
    );
  }
  return { json: { folder: path, runtime: runtime?.modules.version ?? null } };
}

/** Searches the sample, so that there are picks to review; where no runtime can be loaded, says what is missing. */
async function detectSample(
  terminal: Terminal,
  project: Project,
  loadNetwork: NonNullable<ExportInput['loadNetwork']>,
): Promise<void> {
  let model: Model;
  try {
    model = await loadNetwork(terminal);
  } catch (error) {
    if (!isCryoetPicksError(error, 'model-failed')) throw error;
    terminal.warn(`cryoet-picks: the sample has no picks of the network: ${describeFailure(error).message}`);
    return;
  }
  try {
    const tomogram = { type: 'denoised' };
    await detectRuns(terminal, { userId: 'cryoet-picks', sessionId: '0', project, model, tomogram });
  } finally {
    await model.dispose();
  }
}

async function writeSession(
  terminal: Terminal,
  { folder, project, runtime }: { folder: string; project: Project; runtime: InstalledRuntime | undefined },
): Promise<void> {
  const opened = await serveProject(terminal, { path: undefined, project });
  const target = { ...opened, writable: false, title: 'a simulated project', userId: 'reviewer', sessionId: '1' };
  const session = sessionOf(target, runtime, { isExport: true });
  await writeFile(join(folder, 'session.json'), `${JSON.stringify(session, null, 2)}\n`);
}

/** Copies the files of a folder, without those in folders below it. */
async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isFile()) await copyFile(join(from, entry.name), join(to, entry.name));
  }
}

/** Copies the two modules of the runtime and the WebAssembly that they name. */
async function copyRuntime({ folder, modules }: InstalledRuntime, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = new Set<string>();
  for (const address of [modules.wasm, modules.webgpu]) {
    const module = address.slice(address.lastIndexOf('/') + 1);
    names.add(module);
    for (const [name] of (await readFile(join(folder, module), 'utf8')).matchAll(/ort-wasm[\w.-]*\.(?:wasm|mjs)/g))
      names.add(name);
  }
  for (const name of names) await copyFile(join(folder, name), join(to, name));
}

/** Folders of a run that the page looks into, whether there is anything in them or not. */
const searched = ['picks', 'segmentation', 'instanceSegmentation', 'panopticSegmentation'] as const;

/**
 * Writes what a plain server needs beside the data, so that the page asks for nothing that is not there, which browsers show as errors:
 * lists of all folders, also of those that the page only looks for, and an empty record for picks without one.
 */
async function writeData(
  project: Project,
  { data, lists }: { readonly data: string; readonly lists: string },
): Promise<void> {
  const runs = await project.runs();
  for (const { name: run } of runs)
    await writeRecords(directoryStore(join(data, 'overlay')), folderOf('picks', { run }));
  for (const name of ['overlay', 'static']) {
    for (const { name: run } of runs) {
      for (const kind of searched) {
        const folder = join(lists, name, folderOf(kind, { run }));
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, 'index.json'), '[]');
      }
    }
    await writeLists(directoryStore(join(data, name)), join(lists, name), '/');
  }
}

/** Writes records that say nothing of what made the picks, unless there are others. */
async function writeRecords(overlay: Store, folder: StoreKey): Promise<void> {
  for (const { name } of await overlay.list(folder)) {
    const key = recordKey(joinKey(folder, name));
    const isRecorded = !name.endsWith('.json') || (await overlay.get(key)) !== undefined;
    if (!isRecorded) await overlay.set(key, new TextEncoder().encode('{}'));
  }
}

/** Writes what the server answers to a request for the children of a folder, for it and all below it. */
async function writeLists(store: ListableStore, to: string, folder: StoreKey): Promise<void> {
  const entries = (await store.list(folder)).filter(({ name }) => keyOf([name]) !== undefined);
  await mkdir(to, { recursive: true });
  await writeFile(join(to, 'index.json'), JSON.stringify(entries));
  for (const { name, kind } of entries) {
    if (kind === 'folder') await writeLists(store, join(to, name), joinKey(folder, name));
  }
}
