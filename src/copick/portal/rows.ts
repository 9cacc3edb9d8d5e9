import { CryoetPicksError } from '../../errors.ts';
import { checkSchema } from '../schema.ts';
import { askGraphql, type GraphqlServer, type Trouble, troubleError } from './graphql.ts';
import { documentOf, type Identified, type Table } from './queries.ts';

/** Which rows of a table. */
export interface RowsRequest<Row extends Identified> {
  readonly table: Table<Row>;
  /** A filter of the portal's, as its schema has them. */
  readonly where: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal | undefined;
}

/** Which rows of a table, asked for run by run. */
export interface RowsByRunRequest<Row extends Identified> extends Omit<RowsRequest<Row>, 'where'> {
  readonly runIds: readonly number[];
  /** The filter for some of the runs. */
  readonly where: (runIds: readonly number[]) => Readonly<Record<string, unknown>>;
}

const pageSize = 1000;
/** No server that cuts pages short is known; one that does is assumed to give at least so many rows. */
const smallestPage = 100;
const attempts = 4;

/** All rows that fit a filter, by id. */
export async function fetchRows<Row extends Identified>(
  server: GraphqlServer,
  request: RowsRequest<Row>,
): Promise<Row[]> {
  const found = await tryRows(server, request, attempts);
  if ('trouble' in found) throw troubleError(server, found.trouble);
  return found.rows;
}

/**
 * All rows of some runs. Where the portal fails over a question, as it does over large ones, the runs are asked for in halves,
 * down to one.
 */
export async function fetchRowsByRun<Row extends Identified>(
  server: GraphqlServer,
  request: RowsByRunRequest<Row>,
): Promise<Row[]> {
  const { runIds, where, ...rest } = request;
  if (runIds.length === 0) return [];
  // A large question that failed twice is better made smaller than asked a third time.
  const found = await tryRows(server, { ...rest, where: where(runIds) }, runIds.length > 1 ? 2 : attempts);
  if ('rows' in found) return found.rows;
  if (runIds.length === 1) throw troubleError(server, found.trouble);
  const middle = Math.ceil(runIds.length / 2);
  const first = await fetchRowsByRun(server, { ...request, runIds: runIds.slice(0, middle) });
  const second = await fetchRowsByRun(server, { ...request, runIds: runIds.slice(middle) });
  return [...first, ...second];
}

async function tryRows<Row extends Identified>(
  server: GraphqlServer,
  { table, where, signal }: RowsRequest<Row>,
  tries: number,
): Promise<{ readonly rows: Row[] } | { readonly trouble: Trouble }> {
  const rows = new Map<number, Row>();
  const document = documentOf(table);
  for (let offset = 0; ; ) {
    const page = { limit: pageSize, offset };
    const answer = await askGraphql(server, { document, variables: { where, page }, attempts: tries, signal });
    if ('trouble' in answer) return answer;
    const found = checkRows(table, answer.data, server);
    // Rows that are added meanwhile shift the pages, so one may come twice.
    const before = rows.size;
    for (const row of found) rows.set(row.id, row);
    if (found.length < smallestPage || rows.size === before) return { rows: [...rows.values()] };
    offset += found.length;
  }
}

function checkRows<Row extends Identified>(
  { root, row }: Table<Row>,
  data: Readonly<Record<string, unknown>>,
  { endpoint }: GraphqlServer,
): Row[] {
  const what = `the answer of ${endpoint.replace(/[?#].*$/s, '')}`;
  const rows = data[root];
  if (!Array.isArray(rows)) throw new CryoetPicksError('invalid-metadata', `${what} holds no list "${root}"`);
  return rows.map((value, index) =>
    checkSchema(row, value, { what: `${what}: ${root}.${index}`, code: 'invalid-metadata' }),
  );
}
