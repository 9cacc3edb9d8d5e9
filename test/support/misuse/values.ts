/** A wrong value, by name; `right` is what stood in its place. */
export interface WrongValue {
  readonly name: string;
  /** How deep inside an argument it is tried; 1 is the argument itself. */
  readonly depth: number;
  readonly make: (right: unknown) => unknown;
}

const value = (name: string, make: (right: unknown) => unknown, depth = 2): WrongValue => ({ name, make, depth });

/** What people hand in by mistake: nothing, null, another type, a promise, plain lists, negative and absurd numbers. */
export const wrongValues: readonly WrongValue[] = [
  value('undefined', () => undefined, 4),
  value('null', () => null, 4),
  value('true', () => true),
  value('false', () => false, 1),
  value('0', () => 0),
  value('-1', () => -1, 4),
  value('0.5', () => 0.5),
  value('1e308', () => 1e308),
  value('2^53', () => 2 ** 53, 2),
  value('NaN', () => Number.NaN, 4),
  value('Infinity', () => Number.POSITIVE_INFINITY),
  value('-Infinity', () => Number.NEGATIVE_INFINITY, 1),
  value("''", () => ''),
  value("'absurd'", () => 'absurd', 4),
  value('3n', () => 3n),
  value('symbol', () => Symbol('absurd'), 4),
  value('function', () => () => undefined),
  value('[]', () => []),
  value('[1, 2, 3]', () => [1, 2, 3], 4),
  value('[-1, -1, -1]', () => [-1, -1, -1], 1),
  value('[undefined]', () => [undefined], 1),
  value("['absurd']", () => ['absurd'], 2),
  value('[null, null, null]', () => [null, null, null], 2),
  value('{}', () => ({})),
  value('{ absurd: 1 }', () => ({ absurd: 1 }), 1),
  value('Object.create(null)', () => Object.create(null), 2),
  value('Map', () => new Map()),
  value('Uint8Array', () => new Uint8Array(3), 2),
  value('promise', (right) => Promise.resolve(right), 4),
];

/** A way to an argument, or to a part of one. */
export type Path = readonly (string | number)[];

/** The places of right arguments where a wrong value may stand: each argument, the fields of plain objects, the first item of a list. */
export function placesOf(args: readonly unknown[], depth = 3): Path[] {
  return args.flatMap((arg, i) => partsOf(arg, [i], depth));
}

function partsOf(value: unknown, path: Path, depth: number): Path[] {
  if (depth === 0 || !isPlain(value)) return [path];
  const names = Array.isArray(value) ? (value.length > 0 ? [0] : []) : Object.keys(value as object);
  const parts = names.flatMap((name) =>
    partsOf((value as Record<string | number, unknown>)[name], [...path, name], depth - 1),
  );
  return [path, ...parts];
}

/** A list, or an object of values without methods: a store or a model is wrong as a whole. */
function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return true;
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  const fields: Record<string, unknown> = { ...value };
  return !['read', 'get', 'score', 'parse', 'create', 'open'].some((name) => typeof fields[name] === 'function');
}

/** The value at a place. */
export function valueAt(args: readonly unknown[], path: Path): unknown {
  return path.reduce<unknown>((value, name) => (value as Record<string | number, unknown>)[name], args);
}

/** A copy of the arguments with another value at a place; lists and objects on the way are copied. */
export function withValue(args: readonly unknown[], [name, ...rest]: Path, value: unknown): unknown[] {
  const copy = (Array.isArray(args) ? [...args] : { ...(args as object) }) as unknown[];
  const key = name as number;
  copy[key] = rest.length === 0 ? value : withValue(args[key] as readonly unknown[], rest, value);
  return copy;
}

/** A place in words: `options.grid.shape[0]`. */
export function nameOf([first, ...rest]: Path, names: readonly string[]): string {
  const parts = rest.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`));
  return `${names[first as number]}${parts.join('')}`;
}
