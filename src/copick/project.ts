import type { ListableStore, Store } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { ProjectConfig } from './config.ts';
import { type FindOptions, type Found, findByUri } from './find.ts';
import type { PickableObject } from './object.ts';
import {
  findObjectMaps,
  type ObjectMapEntry,
  type ObjectMapFilter,
  type WriteObjectMapOptions,
  writeObjectMapOf,
} from './object-maps.ts';
import { checkFilter, checkRunName, makeRunFolder, Run, type RunsOptions, runNames, splitsOf } from './run.ts';
import { needNamed, noOverlay, type Problem, ProblemLog, type ProjectTree, type WaitOptions } from './tree.ts';
import type { UriKind } from './uri.ts';

/** Options of {@link projectFromStores}. */
export interface ProjectOptions {
  readonly config: ProjectConfig;
  /** Where everything is written; without it the project can only be read. */
  readonly overlay?: Store | undefined;
  /** Where data is only read; leave it out, or give the overlay, where the project has one root. */
  readonly static?: ListableStore | undefined;
  /** Where the config comes from, for messages. @defaultValue 'config' */
  readonly source?: string | undefined;
  /** Told each problem once, as it is met. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
}

/**
 * A copick project: its objects and its runs.
 *
 * Nothing is cached: each call looks at storage. What is broken or oddly named is listed in `problems`, once per path, and
 * hides nothing else; asking for the broken thing itself throws.
 */
export class Project {
  readonly config: ProjectConfig;
  readonly objects: readonly PickableObject[];
  readonly #tree: ProjectTree;
  readonly #source: string;

  /** Use {@link projectFromStores}, or `openProject` in Node. */
  constructor({ config, overlay, static: readOnly, source = 'config', onProblem }: ProjectOptions) {
    this.config = config;
    this.objects = config.objects;
    this.#source = source;
    const log = new ProblemLog(onProblem);
    this.#tree = {
      objects: config.objects,
      overlay: overlay ?? noOverlay(readOnly),
      hasOverlay: overlay !== undefined,
      static: readOnly === overlay ? undefined : readOnly,
      log,
    };
    this.#reportConfig();
  }

  #reportConfig(): void {
    const { problems } = this.config;
    if (problems.length > 0) this.#tree.log.report({ path: this.#source, message: problems.join('; ') });
  }

  /** Where all that is written lies, as a path or URL; of a project without an overlay, where its data lies. */
  get overlayLocation(): string {
    return this.#tree.overlay.location;
  }

  /** The store of what is only read, if there is one; a back-end's own knows more than the tree shows. */
  get staticStore(): ListableStore | undefined {
    return this.#tree.static;
  }

  /** What was found broken or odd so far. */
  get problems(): readonly Problem[] {
    return this.#tree.log.problems;
  }

  /**
   * The runs of both trees, sorted by name. The config's own list of runs is only a hint, and not used.
   *
   * @throws {@link CryoetPicksError} `not-found` for a split that the project does not have, listing those it has.
   */
  async runs(options: RunsOptions = {}): Promise<Run[]> {
    const names = await runNames(this.#tree, { ...checkFilter('runs', options), source: this.#source });
    return names.map((name) => new Run(name, this.#tree));
  }

  /** The names of the runs by split, such as `train` and `test`, as a Croissant tells them; empty for projects of other kinds. */
  async splits({ signal }: WaitOptions = {}): Promise<ReadonlyMap<string, readonly string[]>> {
    return splitsOf(this.#tree, signal);
  }

  /**
   * Finds a run by its name.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the runs that are there.
   */
  async run(name: string, options: WaitOptions = {}): Promise<Run> {
    return needNamed(await this.runs({ signal: options.signal }), name, { what: 'run', source: this.#source });
  }

  /**
   * Finds things of a kind by a copick URI, in all runs or some of them; each comes with its `run`. See `parseUri` for what a
   * URI can ask. A run that cannot be listed is reported and hides nothing of the others.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for what is no URI of the kind; `not-found` for a run that is not there; the first
   *   error, if no run can be listed.
   * @example
   * ```ts
   * for (const set of await project.find('picks', 'ribosome:*\/0')) {
   *   const { picks } = await set.read();
   *   console.log(set.run.name, picks.length);
   * }
   * ```
   */
  async find<K extends UriKind>(kind: K, uri: string, options: FindOptions = {}): Promise<Found<K>[]> {
    const { runs, includeShadowed, signal } = options;
    const names = typeof runs === 'string' ? [runs] : runs;
    const all = await this.runs({ signal });
    const missing = names?.find((name) => all.every((run) => run.name !== name));
    if (missing !== undefined) await this.run(missing, { signal });
    const chosen = all.filter(({ name }) => names?.includes(name) ?? true);
    return findByUri(chosen, { kind, uri, includeShadowed, signal });
  }

  /**
   * Looks anew, after others changed the project: forgets the problems met so far, but for those of the config, and has
   * stores that keep something of their place forget it. A project on disk keeps nothing, so there only problems go.
   */
  refresh(): void {
    const { overlay, static: readOnly, log } = this.#tree;
    log.forget();
    this.#reportConfig();
    overlay.refresh?.();
    readOnly?.refresh?.();
  }

  /**
   * Finds an object by its name.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the project's objects.
   */
  object(name: string): PickableObject {
    return needNamed(this.objects, name, { what: 'object', source: this.#source });
  }

  /**
   * Makes a run in the overlay, with the `.meta` file that copick puts into its folder; a run that is there is given back.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a name that cannot be a folder's; `read-only` if the overlay cannot
   *   be written.
   */
  async createRun(name: string, { signal }: WaitOptions = {}): Promise<Run> {
    checkRunName(name);
    const runs = await this.runs({ signal });
    const found = runs.find((run) => run.name === name);
    if (found !== undefined) return found;
    await makeRunFolder(this.#tree, name, { signal });
    return new Run(name, this.#tree);
  }

  /**
   * Deletes a run from the overlay, as {@link Run.delete} does.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the runs that are there; `read-only`.
   */
  async deleteRun(name: string, { signal }: WaitOptions = {}): Promise<void> {
    await (await this.run(name, { signal })).delete({ signal });
  }

  /** Lists the density maps of the project's particles, by the object's name. */
  async objectMaps(filter: ObjectMapFilter = {}): Promise<ObjectMapEntry[]> {
    return findObjectMaps(this.#tree, filter);
  }

  /**
   * Writes the density map of a particle into the overlay and returns its path.
   *
   * @throws {@link CryoetPicksError} `not-found` for an object that the project does not have; `invalid-option` for one that is
   *   no particle, voxels that are no cubes, and a map that is there and not to be overwritten; `read-only`.
   */
  async writeObjectMap(map: VolumeSource, options: WriteObjectMapOptions): Promise<string> {
    return writeObjectMapOf(this.#tree, { ...options, map });
  }
}

/**
 * Opens a project over stores, wherever they lie; `openProject` does it for a config file in Node.
 *
 * @example
 * ```ts
 * const config = parseConfig(text, { source: 'copick.json' });
 * const project = projectFromStores({ config, overlay: memoryStore(), static: directoryStore('static') });
 * ```
 */
export function projectFromStores(options: ProjectOptions): Project {
  return new Project(options);
}
