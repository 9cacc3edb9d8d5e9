import {
  access,
  constants,
  lstat,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, relative } from 'node:path';
import { folderOf } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import {
  abortSignal,
  callback,
  listOf,
  optional,
  project as projectRule,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { type Claims, folderOfClaims, type NextClaimOptions } from '../detect/claims.ts';
import { folderOfFailures } from '../detect/failures.ts';
import { type ClaimFiles, fileClaims, MIN_LEASE } from './claims.ts';
import { removeLeftovers } from './file-lock.ts';
import { keptFolders, makeFolders, removeEmpty } from './folders.ts';
import { errnoOf } from './system-error.ts';

/** Options of {@link overlayClaims}. */
export interface OverlayClaimsOptions {
  /** Seconds for which a run stays claimed by a process that gives no sign of life. @defaultValue 300 */
  readonly lease?: number | undefined;
}

const nextRules: RulesFor<NextClaimOptions> = {
  group: text,
  isOpen: callback,
  onWarning: optional(callback),
  signal: optional(abortSignal),
};

/** A name that is that of one folder. */
function fileName(name: string): string {
  if (/^[^./\\\0][^/\\\0]*$/.test(name)) return name;
  throw new CryoetPicksError('invalid-option', `claims.next: ${showJson(name)} cannot name a folder`, {
    option: 'names',
  });
}

const leaseRule: Rule = {
  expected: `a number of seconds ≥ ${MIN_LEASE / 1000}, three heartbeats`,
  isValid: (value) => Number.isFinite(value) && (value as number) * 1000 >= MIN_LEASE,
};

/**
 * Claims on the runs of a project by files in its overlay, for `detectProject({ claim })` (Node only): any number of processes on any
 * machines that see the overlay share the runs, each taking the next one that is free.
 *
 * A claim is renewed ten times in its lease, every 30 s by default. That of a process that has died is taken over: at once on the same machine,
 * otherwise when its lease is over. Claims lie in `.cryoet-picks/claims` of the overlay, which copick does not list; when all runs are done,
 * none is left.
 *
 * The file system must rename a folder in one step, and never onto one that is not empty, and show a file to other machines once it is
 * written, at the latest after two thirds of the lease: disks, NFS, Lustre, GPFS and BeeGFS do, an object store that is mounted as a
 * folder does not. It needs no locks, and no clocks that agree. Whatever goes wrong, results are written atomically: a run that two
 * processes search is lost time, not damage.
 *
 * @throws `CryoetPicksError` `unsupported` unless the overlay is a folder; `invalid-option` for a lease below 1.5 s.
 * @example
 * ```ts
 * for await (const { run, status } of detectProject(project, { tomogram: 'denoised', model, claim: overlayClaims(project) })) {
 *   console.log(run, status);
 * }
 * ```
 */
export function overlayClaims(project: Project, options: OverlayClaimsOptions = {}): Claims {
  requireArgument('overlayClaims', 'project', project, projectRule);
  const { lease = 300 } = requireOptions('overlayClaims', options, { lease: optional(leaseRule) });
  const { overlayStore } = project;
  if (overlayStore?.pathOf === undefined) {
    const found = overlayStore === undefined ? 'the project has none' : `found ${overlayStore.location}`;
    throw new CryoetPicksError('unsupported', `claims need an overlay in a folder that all processes see; ${found}`);
  }
  const pathOf = overlayStore.pathOf.bind(overlayStore);
  const root = pathOf('/.cryoet-picks');
  const kept = keptFolders(pathOf('/'));
  let hasResults = false;
  // An overlay of claims alone goes when the last one ends, and may be made anew: nothing of it is lost.
  const keepResults = async () => {
    hasResults ||= (await namesIn(pathOf('/'))).some((name) => !name.startsWith('.'));
    if (hasResults) kept.holds(pathOf('/'));
  };
  const claims = fileClaims(root, {
    files: {
      ...nodeFiles,
      async makeFolder(path) {
        const made = await makeFolders(path);
        try {
          kept.requireNew(made);
        } catch (error) {
          await removeEmpty(made);
          throw error;
        }
      },
    },
    lease: lease * 1000,
    // A killed process leaves temporary files where it was writing.
    async onTakeOver(run, { group, tag }) {
      const picks = folderOf('picks', { run }).split('/').slice(1);
      const folders = [
        ...picks.map((_, i) => `/${picks.slice(0, i + 1).join('/')}` as const),
        folderOfFailures(basename(group)),
      ];
      for (const folder of ['/' as const, ...folders]) await removeLeftovers(pathOf(folder), tag);
    },
  });
  return {
    async next(names, options) {
      requireArgument('claims.next', 'names', names, listOf('names', text));
      const { group, ...others } = requireOptions('claims.next', options, nextRules);
      const folder = relative(root, pathOf(folderOfClaims(fileName(group))));
      await keepResults();
      const claim = await claims.next(names.map(fileName), { ...others, group: folder });
      return (
        claim && {
          ...claim,
          async release() {
            await keepResults();
            await claim.release();
          },
        }
      );
    },
  };
}

/** What a folder holds; nothing if it is not there or cannot be read. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

/** The file system, by its calls. */
export const nodeFiles: ClaimFiles = {
  async list(folder) {
    try {
      // What lies behind a link is not of claims.
      if ((await lstat(folder)).isSymbolicLink())
        throw Object.assign(new Error('a link'), { code: 'ENOTDIR', path: folder });
      return await readdir(folder);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  },
  async makeFolder(path) {
    await makeFolders(path);
  },
  async create(path) {
    const owner = { host: hostname(), process: process.pid };
    await writeFile(path, `${JSON.stringify(owner)}\n`, { flag: 'wx' });
  },
  async touch(path) {
    // A time that is set would be that of this machine.
    const file = await open(path, 'r+');
    try {
      await file.write('{', 0);
    } finally {
      await file.close();
    }
  },
  async modified(path) {
    // Opening a file makes a network file system ask the server.
    const file = await open(path, 'r').catch(() => undefined);
    try {
      return (await (file?.stat() ?? stat(path))).mtimeMs;
    } finally {
      await file?.close();
    }
  },
  rename,
  remove: unlink,
  removeFolder: rmdir,
  requireWritable: (folder) => access(folder, constants.W_OK | constants.X_OK),
  async ownerOf(path) {
    if (process.getuid === undefined) return 'another user';
    // What may not be looked at lies in a folder that says so.
    let found = await lstat(path).catch(() => undefined);
    for (let at = path; found === undefined && at !== dirname(at); at = dirname(at))
      found = await lstat(dirname(at)).catch(() => undefined);
    const user = found === undefined ? 'another user' : `user ${found.uid}`;
    const own = `, this process of user ${process.getuid()}`;
    try {
      const { host, process: pid } = JSON.parse(await readFile(path, 'utf8'));
      return `${user}${host && pid ? ` (process ${pid} on ${host})` : ''}${own}`;
    } catch {
      return `${user}${own}`;
    }
  },
};
