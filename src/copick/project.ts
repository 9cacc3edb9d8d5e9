import { CryoetPicksError } from '../errors.ts';
import type { ListableStore, Store } from '../storage/store.ts';
import type { PickableObject, ProjectConfig } from './config.ts';
import { folderOf, parseName, pathOf } from './layout.ts';
import { noOverlay } from './no-overlay.ts';
import { listNames, type Problem, ProblemLog } from './problems.ts';
import { Run } from './run.ts';
import { runsOfSplit, splitsOf } from './splits.ts';
import { listBoth, type ProjectTree } from './tree.ts';

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

/** Options of calls that only wait. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Project.runs}. */
export interface RunsOptions extends WaitOptions {
  /** Only the runs of a split, such as `train`. */
  readonly split?: string | undefined;
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
  private readonly tree: ProjectTree;
  private readonly source: string;

  /** Use {@link projectFromStores}, or `openProject` in Node. */
  constructor({ config, overlay, static: readOnly, source = 'config', onProblem }: ProjectOptions) {
    this.config = config;
    this.objects = config.objects;
    this.source = source;
    const log = new ProblemLog(onProblem);
    this.tree = {
      objects: config.objects,
      overlay: overlay ?? noOverlay(readOnly),
      hasOverlay: overlay !== undefined,
      static: readOnly === overlay ? undefined : readOnly,
      log,
    };
    if (config.problems.length > 0) log.report({ path: source, message: config.problems.join('; ') });
  }

  /**
   * Where all that is written lies, as the overlay's store tells it: the path of a folder, or a URL. Of a project without an
   * overlay, where its data lies.
   */
  get overlayLocation(): string {
    return this.tree.overlay.location;
  }

  /** What was found broken or odd so far. */
  get problems(): readonly Problem[] {
    return this.tree.log.problems;
  }

  /**
   * The runs of both trees, sorted by name. The config's own list of runs is only a hint, and not used.
   *
   * @throws {@link CryoetPicksError} `not-found` for a split that the project does not have, listing those it has.
   */
  async runs({ split, signal }: RunsOptions = {}): Promise<Run[]> {
    const wanted =
      split === undefined ? undefined : await runsOfSplit(this.tree, { split, source: this.source, signal });
    const entries = await listBoth(this.tree, folderOf('run', {}), { signal });
    const names = entries
      .filter(({ name, kind }) => kind === 'folder' && parseName('run', name) !== undefined)
      .map(({ name }) => name);
    const chosen = [...new Set(names)].filter((name) => wanted?.has(name) ?? true);
    return chosen.sort().map((name) => new Run(name, this.tree));
  }

  /**
   * The names of the runs by split, such as `train` and `test`, as a Croissant tells them; empty for projects of other kinds.
   *
   * @example
   * ```ts
   * for (const [split, runs] of await project.splits()) report(`${split}: ${runs.length} runs`);
   * ```
   */
  async splits({ signal }: WaitOptions = {}): Promise<ReadonlyMap<string, readonly string[]>> {
    return splitsOf(this.tree, signal);
  }

  /**
   * Finds a run by its name.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the runs that are there.
   */
  async run(name: string, options: WaitOptions = {}): Promise<Run> {
    const runs = await this.runs(options);
    const found = runs.find((run) => run.name === name);
    if (found !== undefined) return found;
    throw new CryoetPicksError(
      'not-found',
      `run "${name}" not found in project "${this.source}"; available: ${listNames(runs.map((run) => run.name))}`,
    );
  }

  /**
   * Finds an object by its name.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the project's objects.
   */
  object(name: string): PickableObject {
    const found = this.objects.find((object) => object.name === name);
    if (found !== undefined) return found;
    throw new CryoetPicksError(
      'not-found',
      `object "${name}" not found in project "${this.source}"; available: ${listNames(this.objects.map((one) => one.name))}`,
    );
  }

  /**
   * Makes a run in the overlay, with the `.meta` file that copick puts into its folder; a run that is there is given back.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a name that cannot be a folder's; `read-only` if the overlay cannot
   *   be written.
   */
  async createRun(name: string, { signal }: WaitOptions = {}): Promise<Run> {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    if (name === '' || name.startsWith('.') || /[/\\\u0000-\u001f\u007f]/.test(name)) {
      throw new CryoetPicksError(
        'invalid-option',
        `${JSON.stringify(name)} cannot name a run: expected a folder name that is not hidden, without slashes`,
      );
    }
    const runs = await this.runs({ signal });
    const found = runs.find((run) => run.name === name);
    if (found !== undefined) return found;
    await this.tree.overlay.set(`${pathOf('run', { run: name })}/.meta`, new TextEncoder().encode('meta'), { signal });
    return new Run(name, this.tree);
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
