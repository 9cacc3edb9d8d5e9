import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../src/entry/copick.ts';
import { type PortalStore, type PortalStoreOptions, portalStore } from '../../src/entry/portal.ts';
import { fakeClock } from './scripted-server.ts';

const folder = fileURLToPath(new URL('../fixtures/portal/', import.meta.url));

export const endpoint = 'https://graphql.cryoetdataportal.czscience.com/graphql';
const bucket = 'https://files.cryoetdataportal.cziscience.com/';

type Row = Record<string, unknown> & { readonly id: number };
export type Tables = Record<string, Row[]>;

/** A file of test/fixtures/portal. */
export function portalFixture<T>(name: string): T {
  return JSON.parse(readFileSync(`${folder}${name}`, 'utf8'));
}

/** The tables of the small portal of test/fixtures, a copy to each caller. */
export function portalTables(): Tables {
  return portalFixture('tables.json');
}

/** A filter: lists of what a field may be, below relations. */
interface Where {
  readonly [name: string]: Where | { readonly _in: readonly unknown[] };
}

/** What is asked of GraphQL in one request. */
export interface Question {
  readonly query: string;
  readonly variables: { readonly where: Where; readonly page: { readonly limit: number; readonly offset: number } };
}

export interface FakePortalOptions {
  readonly tables?: Tables | undefined;
  /** Bytes of a file by its URL; the bucket of test/fixtures where left out. */
  readonly file?: ((url: string) => Uint8Array<ArrayBuffer> | undefined) | undefined;
  /** Answers before the portal does, if it gives something. */
  readonly first?:
    | ((request: Request, init: RequestInit) => Promise<Response | undefined> | Response | undefined)
    | undefined;
}

export interface FakePortal {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** All that was asked, in order: a table of the portal, or the URL of a file. */
  readonly asked: string[];
  readonly questions: Question[];
}

/** The portal: GraphQL over its tables, and its bucket. */
export function fakePortal({ tables = portalTables(), file = bucketFile, first }: FakePortalOptions = {}): FakePortal {
  const asked: string[] = [];
  const questions: Question[] = [];
  return {
    asked,
    questions,
    async fetch(url, init) {
      init.signal?.throwIfAborted();
      const question: Question | undefined = init.method === 'POST' ? JSON.parse(String(init.body)) : undefined;
      if (question) questions.push(question);
      asked.push(question ? rootOf(question) : url);
      const answer = await first?.(new Request(url, { ...init, signal: null }), init);
      if (answer) return answer;
      if (question) return Response.json(answerQuestion(tables, question));
      const bytes = file(url);
      return bytes ? new Response(bytes) : new Response('', { status: 404 });
    },
  };
}

/** A store over a fake portal that never waits between attempts; the pauses that it would have made are in `pauses`. */
export function fakeStore(
  options: Partial<PortalStoreOptions> & FakePortalOptions = {},
): FakePortal & { readonly store: PortalStore; readonly pauses: number[] } {
  const portal = fakePortal(options);
  const config = portalFixture<{ readonly dataset_ids: readonly number[] }>('copick.json');
  const store = portalStore({
    datasetIds: config.dataset_ids,
    objects: parseConfig(JSON.stringify(config), { source: 'copick.json' }).objects,
    fetch: portal.fetch,
    ...options,
  });
  return { ...portal, store, pauses: fakeClock(0.5).pauses };
}

/** A file of the bucket of test/fixtures. */
export function bucketFile(url: string): Uint8Array<ArrayBuffer> | undefined {
  const path = `${folder}bucket/${decodeURIComponent(url.slice(bucket.length))}`;
  return url.startsWith(bucket) && existsSync(path) && statSync(path).isFile()
    ? new Uint8Array(readFileSync(path))
    : undefined;
}

function rootOf({ query }: Question): string {
  const [, root = ''] = /\{ (\w+)\(/.exec(query) ?? [];
  return root;
}

const links: Record<string, readonly [table: string, key: string]> = {
  run: ['runs', 'runId'],
  tomogramVoxelSpacing: ['tomogramVoxelSpacings', 'tomogramVoxelSpacingId'],
  tomogram: ['tomograms', 'tomogramId'],
  annotation: ['annotations', 'annotationId'],
  annotationShape: ['annotationShapes', 'annotationShapeId'],
};

/** Answers a question of the one form that the store asks; answers.json holds what a full GraphQL server says to the same. */
export function answerQuestion(tables: Tables, { query, variables: { where, page } }: Question): unknown {
  const form =
    /^query \(.*?\) \{ (\w+)\(where: \$where, orderBy: \[\{ id: asc \}\], limitOffset: \$page\) (\{.*\}) \}$/;
  const [, root, selection] = form.exec(query) ?? [];
  if (root === undefined || selection === undefined || !(root in tables)) {
    return { errors: [{ message: `cannot answer ${query}` }] };
  }
  const rows = tables[root].filter((row) => fits(tables, row, where)).sort((a, b) => a.id - b.id);
  const chosen = rows.slice(page.offset, page.offset + page.limit);
  const tokens = selection.split(/\s+/);
  return { data: { [root]: chosen.map((row) => select(tables, row, [...tokens])) } };
}

function select(tables: Tables, row: Row | undefined, tokens: string[]): unknown {
  const result: Record<string, unknown> = {};
  tokens.shift();
  for (let name = tokens.shift(); name !== '}'; name = tokens.shift()) {
    if (name === undefined) throw new Error('an open selection');
    if (name.endsWith(':')) result[name.slice(0, -1)] = row?.[tokens.shift() ?? ''];
    else if (tokens[0] === '{') result[name] = select(tables, row && follow(tables, row, name), tokens);
    else if (row && !(name in row)) throw new Error(`no field ${name}`);
    else result[name] = row?.[name];
  }
  return row ? result : null;
}

function follow(tables: Tables, row: Row, name: string): Row | undefined {
  const [table, key] = links[name];
  return tables[table].find(({ id }) => id === row[key]);
}

function fits(tables: Tables, row: Row, where: Where): boolean {
  return Object.entries(where).every(([name, filter]) => {
    if (!(name in links)) return (filter as { readonly _in: readonly unknown[] })._in.includes(row[name]);
    const linked = follow(tables, row, name);
    return linked !== undefined && fits(tables, linked, filter as Where);
  });
}
