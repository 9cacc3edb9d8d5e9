import type { EndedCall } from './harness.ts';
import { returns } from './returns.ts';

/** What was found wrong with calls. */
export interface Verdict {
  /** Calls that threw something else, hung, died, or left a rejection behind. */
  readonly raw: readonly EndedCall[];
  /** Calls that returned and do not stand in the table. */
  readonly unexplained: readonly EndedCall[];
  /** Rows of the table that no call needs, as `function: mistake`. */
  readonly idle: readonly string[];
  readonly counts: Readonly<Record<EndedCall['kind'], number>>;
}

/** Compares calls with the table of those that may return. */
export function judge(calls: readonly EndedCall[], { isWhole }: { readonly isWhole: boolean }): Verdict {
  const allowed = new Set(
    returns.flatMap(({ calls: rows }) =>
      Object.entries(rows).flatMap(([place, values]) => values.split(' | ').map((value) => rowOf(place, value))),
    ),
  );
  const count = (kind: EndedCall['kind']) => calls.filter((call) => call.kind === kind).length;
  const single = calls.filter(({ kind, wrong }) => kind === 'returned' && wrong.length === 1);
  const returned = new Set(single.map(nameOf));
  return {
    raw: calls.filter(({ kind }) => kind === 'raw'),
    unexplained: single.filter((call) => !allowed.has(nameOf(call))),
    idle: isWhole ? [...allowed].filter((row) => !returned.has(row)) : [],
    counts: { error: count('error'), returned: count('returned'), raw: count('raw') },
  };
}

function nameOf({ subject, wrong: [wrong = ''] }: EndedCall): string {
  return `${subject}: ${wrong}`;
}

/** `few` stands for too few arguments, whose value is the phrase. */
function rowOf(place: string, value: string): string {
  const [subject, path] = place.split(': ') as [string, string];
  return path === 'few' ? `${subject}: ${value}` : `${subject}: ${path} = ${value}`;
}
