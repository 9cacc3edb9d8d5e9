import type { PickableObject } from '../copick/config.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import type { Project } from '../copick/project.ts';
import type { TableRow } from '../metric/tables.ts';
import { openProject } from '../node.ts';
import { parseSubmissionRows } from '../picks/submission.ts';
import { UsageError } from './failure.ts';
import { readText } from './files.ts';
import type { Terminal } from './terminal.ts';

/** Positions of particles, from a CSV or from a copick project. */
export interface Positions {
  readonly rows: readonly TableRow[];
  /** The objects of the project, where they come from one. */
  readonly objects?: readonly PickableObject[] | undefined;
  /** Who wrote them, where they come from a project. */
  readonly userId?: string | undefined;
}

/** Options of {@link readPositions}. */
export interface PositionsOptions {
  /** What they are, for messages: `truth`. */
  readonly what: string;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Whose picks to take where a project has several users', and none is named. */
  readonly usualUser: string;
  /** What the options are called that choose user and session. */
  readonly flags: string;
}

/** Reads positions from a table, or, where the file is a `.json`, the picks of one user and session of a project. */
export async function readPositions(terminal: Terminal, path: string, options: PositionsOptions): Promise<Positions> {
  const { signal } = terminal;
  const { what } = options;
  if (!path.endsWith('.json')) {
    const text = await readText(path, { what: `${what} table`, signal });
    return { rows: parseSubmissionRows(text, { source: `${what} ${path}` }) };
  }
  const project = await openProject(path, { signal });
  const sets = chooseSets(await setsOf(project, signal), path, options);
  const rows: TableRow[] = [];
  for (const { run, set } of sets) {
    for (const pick of (await set.read({ signal })).picks) rows.push({ run, pick });
  }
  const owner = sets[0]?.set;
  if (owner !== undefined) terminal.print(`${what}: picks of user ${owner.userId}, session ${owner.sessionId}`);
  return { rows, objects: project.objects, userId: owner?.userId };
}

/** A picks file, and the run it is of. */
export interface RunSet {
  readonly run: string;
  readonly set: PickSet;
}

async function setsOf(project: Project, signal: AbortSignal): Promise<RunSet[]> {
  const sets: RunSet[] = [];
  for (const run of await project.runs({ signal })) {
    for (const set of await run.pickSets({ signal })) sets.push({ run: run.name, set });
  }
  return sets;
}

/** The sets of one user and session: those named, else the usual user's, else the only ones there are. */
export function chooseSets(sets: readonly RunSet[], path: string, options: PositionsOptions): readonly RunSet[] {
  const { what, userId, sessionId, usualUser, flags } = options;
  const named = sets.filter(
    ({ set }) => (userId ?? set.userId) === set.userId && (sessionId ?? set.sessionId) === set.sessionId,
  );
  const usual = userId === undefined ? named.filter(({ set }) => set.userId === usualUser) : [];
  const chosen = usual.length > 0 ? usual : named;
  const owners = new Set(chosen.map(ownerOf));
  if (owners.size === 1) return chosen;
  const available = [...new Set(sets.map(ownerOf))].join(', ') || 'none';
  const found = owners.size === 0 ? 'no picks' : `picks of ${owners.size} users or sessions`;
  throw new UsageError(
    `${what} ${path}: ${found} found, expected those of one; name them by ${flags}; there are ${available}`,
  );
}

/** Whose a set is: `user/session`. */
export function ownerOf({ set: { userId, sessionId } }: RunSet): string {
  return `${userId || '(no user)'}/${sessionId || '(no session)'}`;
}
