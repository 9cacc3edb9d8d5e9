import {
  abortSignal,
  callback,
  flag,
  listableStore,
  optional,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
  writableStore,
} from '../core/arguments.ts';
import { type ListableStore, requireWritable, type Store } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { configRule, type ProjectConfig } from './config.ts';
import { type FindOptions, type Found, findByUri } from './find.ts';
import type { PickableObject } from './object.ts';
import {
  findObjectMaps,
  type ObjectMapEntry,
  type ObjectMapFilter,
  type WriteObjectMapOptions,
  writeObjectMapOf,
} from './object-maps.ts';
import {
  checkFilter,
  checkRunName,
  makeRunFolder,
  nameFilter,
  Run,
  type RunsOptions,
  runNames,
  splitsOf,
} from './run.ts';
import {
  byNamesAlone,
  checkWait,
  needNamed,
  noOverlay,
  type Problem,
  ProblemLog,
  type ProjectTree,
  treeOfRun,
  type WaitOptions,
} from './tree.ts';
import { type UriKind, uriKind } from './uri.ts';
import { writeRules } from './write-volumes.ts';

/** Options of {@link projectFromStores}. */
export interface ProjectOptions {
  readonly config: ProjectConfig;
  /** Where everything is written; without it the project is read-only. */
  readonly overlay?: Store | undefined;
  /** Where data is only read; for a project with a single root, omit it or give the overlay again. */
  readonly static?: ListableStore | undefined;
  /** Where the config comes from, for messages. @defaultValue 'config' */
  readonly source?: string | undefined;
  /** Called once for each problem, when it is met. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
}

/**
 * A copick project: its objects and its runs.
 *
 * Nothing is cached: each call reads storage. Broken or misnamed entities are listed in `problems`, once per path, and skipped;
 * asking for a broken entity itself throws.
 */
export class Project {
  readonly config: ProjectConfig;
  readonly objects: readonly PickableObject[];
  readonly #tree: ProjectTree;
  readonly #source: string;

  /** Use {@link projectFromStores}, or `openProject` in Node. */
  constructor(options: ProjectOptions) {
    const rules = {
      config: configRule,
      overlay: optional(writableStore),
      static: optional(listableStore),
      source: optional(text),
      onProblem: optional(callback),
    };
    const {
      config,
      overlay,
      static: readOnly,
      source = 'config',
      onProblem,
    } = requireOptions('Project', options, rules);
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

  /** The path or URL of the overlay; for a project without one, that of its data. */
  get overlayLocation(): string {
    return this.#tree.overlay.location;
  }

  /** The store that everything is written to, if the project has one. */
  get overlayStore(): Store | undefined {
    return this.#tree.hasOverlay ? this.#tree.overlay : undefined;
  }

  /** The store that is only read, if there is one. The stores of portals and Croissants offer more than a plain store. */
  get staticStore(): ListableStore | undefined {
    return this.#tree.static;
  }

  /** The problems met so far. */
  get problems(): readonly Problem[] {
    return this.#tree.log.problems;
  }

  /**
   * Lists the runs of both trees, sorted by name. The list of runs in the config, if any, is not used.
   *
   * @throws {@link CryoetPicksError} `not-found` for a split that the project does not have, listing those it has.
   */
  async runs(options: RunsOptions = {}): Promise<Run[]> {
    const names = await runNames(this.#tree, { ...checkFilter('runs', options), source: this.#source });
    return names.map((name) => {
      const tree = treeOfRun(this.#tree, name);
      return new Run(name, options.namesOnly ? byNamesAlone(tree, name) : tree);
    });
  }

  /** The names of the runs by split, such as `train` and `test`, from a Croissant; empty for projects of other kinds. */
  async splits(options: WaitOptions = {}): Promise<ReadonlyMap<string, readonly string[]>> {
    return splitsOf(this.#tree, checkWait('project.splits', options).signal);
  }

  /**
   * Finds a run by its name.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the available runs.
   */
  async run(name: string, options: WaitOptions = {}): Promise<Run> {
    const { signal } = checkWait('project.run', options);
    requireArgument('project.run', 'name', name, text);
    return needNamed(await this.runs({ signal }), name, { what: 'run', source: this.#source });
  }

  /**
   * Finds entities of a kind by a copick URI, in all runs or some of them; each has its `run`. See `parseUri` for the syntax of
   * URIs. A run that cannot be listed is reported and skipped.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a URI that is not one of the kind; `not-found` for a run that
   *   does not exist; the first error, if no run can be listed.
   * @example
   * ```ts
   * for (const set of await project.find('picks', 'ribosome:*\/0')) {
   *   const { picks } = await set.read();
   *   console.log(set.run.name, picks.length);
   * }
   * ```
   */
  async find<K extends UriKind>(kind: K, uri: string, options: FindOptions = {}): Promise<Found<K>[]> {
    requireArgument('project.find', 'kind', kind, uriKind);
    requireArgument('project.find', 'uri', uri, text);
    const { runs, includeShadowed, signal } = requireOptions('project.find', options, {
      runs: optional(nameFilter),
      includeShadowed: optional(flag),
      signal: optional(abortSignal),
    });
    const names = new Set(typeof runs === 'string' ? [runs] : runs);
    const all = await this.runs({ signal });
    const chosen = runs === undefined ? all : all.filter(({ name }) => names.has(name));
    for (const { name } of chosen) names.delete(name);
    for (const missing of names) await this.run(missing, { signal });
    return findByUri(chosen, { kind, uri, includeShadowed, signal });
  }

  /**
   * Makes later calls see what others changed: forgets the problems met so far, except those of the config, and clears the
   * caches of the stores. Stores on disk have no cache.
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
   * Checks that the overlay can be written; {@link Run.requireWritable} checks the folder of one run.
   *
   * @throws {@link CryoetPicksError} `read-only` or `write-failed` if not.
   */
  async requireWritable(options: WaitOptions = {}): Promise<void> {
    const { signal } = checkWait('project.requireWritable', options);
    await requireWritable(this.#tree.overlay, '/', { what: 'the overlay', signal });
  }

  /**
   * Creates a run in the overlay, with the `.meta` file that copick puts into its folder. Returns the run if it exists already.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a name that cannot name a folder; `read-only` or `write-failed` if
   *   the overlay cannot be written.
   */
  async createRun(name: string, options: WaitOptions = {}): Promise<Run> {
    const { signal } = checkWait('project.createRun', options);
    checkRunName(name);
    const runs = await this.runs({ signal });
    const found = runs.find((run) => run.name === name);
    if (found !== undefined) return found;
    await makeRunFolder(this.#tree, name, { signal });
    return new Run(name, treeOfRun(this.#tree, name));
  }

  /**
   * Deletes a run from the overlay, as {@link Run.delete} does.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the available runs; `read-only` if it exists only in the static tree, or
   *   there is no overlay to write; `write-failed`.
   */
  async deleteRun(name: string, options: WaitOptions = {}): Promise<void> {
    const { signal } = checkWait('project.deleteRun', options);
    await (await this.run(name, { signal })).delete({ signal });
  }

  /** Lists the density maps of the project's particles, sorted by the object's name. */
  async objectMaps(filter: ObjectMapFilter = {}): Promise<ObjectMapEntry[]> {
    return findObjectMaps(this.#tree, checkFilter('object maps', filter));
  }

  /**
   * Writes the density map of a particle into the overlay and returns its path.
   *
   * @throws {@link CryoetPicksError} `not-found` for an object that the project does not have; `invalid-option` for an
   *   object that is not a particle, voxels that are not cubes, and an existing map unless `overwrite` is set; `read-only` or
   *   `write-failed` if the overlay cannot be written.
   */
  async writeObjectMap(map: VolumeSource, options: WriteObjectMapOptions): Promise<string> {
    requireArgument('project.writeObjectMap', 'map', map, sourceRule);
    requireOptions('project.writeObjectMap', options, { ...writeRules, object: text });
    return writeObjectMapOf(this.#tree, { ...options, map });
  }
}

/**
 * Opens a project over stores of any kind. In Node, `openProject` opens one from a config file.
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
