import type { Store, StoreOptions } from '../storage/store.ts';
import type { CroissantConfig } from './config.ts';
import { type CroissantStore, type CroissantStoreOptions, croissantStore } from './croissant-store.ts';
import type { Problem } from './problems.ts';
import { type Project, projectFromStores } from './project.ts';

/** Options of {@link openCroissant}. */
export interface OpenCroissantOptions extends CroissantStoreOptions, StoreOptions {
  /** Where everything is written; without it the project can only be read. */
  readonly overlay?: Store | undefined;
  /** Told each problem once, as it is met. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
}

/**
 * Opens the copick project that a Croissant describes, in browsers too: all that is asked of the server are plain files. In
 * Node, `openProject` opens one from a config of the kind `mlcroissant`, or from local folders.
 *
 * The Croissant and its data are only read. With an `overlay`, what is written goes there, and wins over what the Croissant has.
 *
 * @param url - The Croissant's `metadata.json`, or the folder that holds `Croissant/`; `https://` or `s3://`.
 * @throws {@link CryoetPicksError} What {@link croissantStore} and its calls throw.
 * @example
 * ```ts
 * const project = await openCroissant('https://example.org/data/Croissant/metadata.json');
 * const [run] = await project.runs({ split: 'test' });
 * const tomogram = await run!.tomogram('denoised');
 * ```
 */
export async function openCroissant(url: string | URL, options: OpenCroissantOptions = {}): Promise<Project> {
  const { overlay, onProblem, signal, ...access } = options;
  const store = croissantStore(url, access);
  const config: CroissantConfig = { type: 'mlcroissant', croissantUrl: String(url), objects: [], problems: [] };
  return projectOfCroissant(store, { config, overlay, onProblem, signal, source: store.location });
}

/** Options of {@link projectOfCroissant}. */
export interface ProjectOfCroissantOptions extends Pick<OpenCroissantOptions, 'overlay' | 'onProblem' | 'signal'> {
  readonly config: CroissantConfig;
  /** Where the config comes from, for messages. */
  readonly source: string;
}

/** A project over a Croissant, with the config that the Croissant carries. */
export async function projectOfCroissant(
  store: CroissantStore,
  { config, overlay, onProblem, signal, source }: ProjectOfCroissantOptions,
): Promise<Project> {
  const { config: its, problems } = await store.index({ signal });
  const rows = problems.slice(0, 20).map(({ path, message }) => `${path}: ${message}`);
  const more = problems.length > 20 ? [`and ${problems.length - 20} more rows`] : [];
  return projectFromStores({
    config: { ...withConfigOf(config, its), problems: [...config.problems, ...its.problems, ...rows, ...more] },
    overlay,
    static: store,
    source,
    onProblem,
  });
}

/** As copick does it: what the Croissant says of the project counts, but objects only where the config has none. */
function withConfigOf(
  config: CroissantConfig,
  its: Awaited<ReturnType<CroissantStore['index']>>['config'],
): CroissantConfig {
  const { objects, problems: _, original: __, ...told } = its;
  return { ...config, ...told, objects: config.objects.length > 0 ? config.objects : objects };
}
