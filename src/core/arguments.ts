import { CryoetPicksError } from './errors.ts';

/**
 * What an argument must be. The compiler says the same to those who use it; callers from plain JavaScript, and values that were
 * not awaited, may be anything.
 */
export interface Rule {
  /** For messages, after "must be": `a length above 0, in Å`. */
  readonly expected: string;
  readonly isValid: (value: unknown) => boolean;
  /** What fields of the value must be. */
  readonly fields?: Readonly<Record<string, Rule>>;
  /** What each item of a list must be. */
  readonly items?: Rule;
}

/** A rule for every field of an options object. */
export type RulesFor<T> = { readonly [Name in keyof T]-?: Rule };

/**
 * Throws unless an argument is what its rule says.
 *
 * @param call - The function, as it is called: `dbscan`, `run.picks`.
 * @param argument - The name of the argument in the function's signature.
 * @throws {@link CryoetPicksError} `invalid-option` with the function, the argument or the part of it that is wrong, what came, and
 *   what is expected.
 */
export function requireArgument(call: string, argument: string, value: unknown, rule: Rule): void {
  const wrong = wrongPart(value, rule);
  if (wrong === undefined) return;
  throw new CryoetPicksError(
    'invalid-option',
    `${call}: ${argument}${wrong.path} must be ${wrong.expected}, found ${describeValue(wrong.value)}`,
    { option: argument },
  );
}

/**
 * Returns an options object, once it and each of its fields is what the rules say.
 *
 * @throws {@link CryoetPicksError} `invalid-option`, as {@link requireArgument}; `option` is the name of the field.
 */
export function requireOptions<T extends object>(call: string, options: T, rules: RulesFor<T>): T {
  const names = Object.keys(rules) as (keyof T & string)[];
  if (isRevoked(options) || !isFields(options)) {
    const expected = `an object, { ${names.slice(0, 6).join(', ')}${names.length > 6 ? ', …' : ''} }`;
    requireArgument(call, 'options', options, { expected, isValid: isFields });
  }
  for (const name of names) requireArgument(call, name, options[name], rules[name]);
  return options;
}

/** True if a value is what a rule says. */
export function isRight(value: unknown, rule: Rule): boolean {
  return wrongPart(value, rule) === undefined;
}

interface WrongPart {
  /** From the argument to the part: `.grid.shape`, `[3]`. */
  readonly path: string;
  readonly value: unknown;
  readonly expected: string;
}

function wrongPart(value: unknown, { expected, isValid, fields, items }: Rule): WrongPart | undefined {
  if (isRevoked(value) || !isValid(value)) return { path: '', value, expected };
  if (value === undefined) return undefined;
  for (const name in fields) {
    const wrong = wrongPart((value as Record<string, unknown>)[name], fields[name]);
    if (wrong) return { ...wrong, path: `.${name}${wrong.path}` };
  }
  if (items === undefined) return undefined;
  const list = value as readonly unknown[];
  for (let i = 0; i < list.length; i++) {
    const wrong = wrongPart(list[i], items);
    if (wrong) return { ...wrong, path: `[${i}]${wrong.path}` };
  }
  return undefined;
}

/** What a value is, for messages: a promise and a missing value in words, large things by their kind and size. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value.slice(0, 100));
    return value.length > 100 ? `the string ${text}… of ${value.length} characters` : text;
  }
  if (typeof value === 'bigint') return `the bigint ${value}`.slice(0, 100);
  if (typeof value === 'function') return 'a function';
  if (Object(value) !== value) return String(value);
  if (isRevoked(value)) return 'a proxy that was revoked';
  if (isPromise(value)) return 'a promise; is an `await` missing?';
  if (Array.isArray(value)) {
    const isShort = value.length <= 4 && value.every((item) => Object(item) !== item);
    return isShort ? `[${value.map(describeValue).join(', ')}]` : `a list of ${value.length}`;
  }
  const kind = Object.getPrototypeOf(value)?.constructor?.name;
  if (kind && kind !== 'Object') return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
  const names = Object.keys(value as object);
  if (names.length === 0) return 'an object without fields';
  return `an object with ${names.slice(0, 6).join(', ')}${names.length > 6 ? ', …' : ''}`.slice(0, 200);
}

/** True for a proxy that was revoked: whatever else is done with it throws. */
function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}

function isPromise(value: unknown): boolean {
  return typeof (value as { readonly then?: unknown }).then === 'function';
}

/** True for an object whose fields can be read by name: no list, no map, no promise, no function. */
export function isFields(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value) && !isPromise(value);
}

function isTriple(value: unknown, isValid: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length === 3 && isValid(value[0]) && isValid(value[1]) && isValid(value[2]);
}

const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isLength = (value: unknown): boolean => Number.isFinite(value) && (value as number) > 0;
const isFunction = (value: unknown): boolean => typeof value === 'function';

/** A rule that says nothing: the function checks the argument where it uses it. */
export const anything: Rule = { expected: 'anything', isValid: () => true };

/** The rule, for an argument that may be left out. */
export function optional(rule: Rule): Rule {
  return { ...rule, isValid: (value) => value === undefined || rule.isValid(value) };
}

/** One of some strings or numbers. */
export function oneOf(...choices: readonly (string | number | undefined)[]): Rule {
  const shown = choices.filter((choice) => choice !== undefined).map(describeValue);
  return {
    expected: shown.length > 1 ? `one of ${shown.join(', ')}` : shown.join(),
    isValid: (value) => choices.includes(value as string),
  };
}

/** A list whose items follow a rule. `what` names them: `tomograms`. */
export function listOf(what: string, items: Rule = anything): Rule {
  return { expected: `a list of ${what}`, isValid: Array.isArray, items };
}

/** A list that may be left out. `expected` names it: `a list of names`. */
export function optionalList(expected: string, items: Rule = anything): Rule {
  return optional({ expected, isValid: Array.isArray, items });
}

/** An object whose fields follow rules. `expected` shows it: `a pick { object, position, score }`. */
export function fieldsOf(expected: string, fields: Readonly<Record<string, Rule>>): Rule {
  return { expected, isValid: isFields, fields };
}

// Values without parts

export const text: Rule = { expected: 'a string', isValid: (value) => typeof value === 'string' };
export const filePath: Rule = {
  expected: 'a path, as a string',
  isValid: (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
};
export const flag: Rule = { expected: 'true or false', isValid: (value) => typeof value === 'boolean' };
export const callback: Rule = { expected: 'a function', isValid: isFunction };
export const someNumber: Rule = { expected: 'a number', isValid: (value) => typeof value === 'number' };
export const finiteNumber: Rule = { expected: 'a finite number', isValid: Number.isFinite };
export const count: Rule = { expected: 'a whole number ≥ 0', isValid: isWhole };
export const positiveCount: Rule = {
  expected: 'a whole number ≥ 1',
  isValid: (value) => isWhole(value) && (value as number) > 0,
};
export const seedNumber: Rule = { expected: 'a whole number', isValid: Number.isSafeInteger };
/** A maximum in bytes, requests or milliseconds; Infinity for none. */
export const bound: Rule = {
  expected: 'a number ≥ 0',
  isValid: (value) => typeof value === 'number' && value >= 0,
};
export const finiteScore: Rule = { expected: 'a finite score', isValid: Number.isFinite };
export const finiteLength: Rule = {
  expected: 'a finite length ≥ 0 Å',
  isValid: (value) => Number.isFinite(value) && (value as number) >= 0,
};
export const positiveBytes: Rule = {
  expected: 'a number of bytes above 0',
  isValid: (value) => Number.isFinite(value) && (value as number) > 0,
};
export const positiveLength: Rule = { expected: 'a positive length in Å', isValid: isLength };
export const bytesRule: Rule = { expected: 'a Uint8Array', isValid: (value) => value instanceof Uint8Array };
export const record: Rule = { expected: 'an object of values by name', isValid: isFields };
export const abortSignal: Rule = {
  expected: 'an AbortSignal',
  isValid: (value) => isFields(value) && isFunction((value as Partial<AbortSignal>).throwIfAborted),
};
export const numbersByName: Rule = {
  expected: 'numbers by object name',
  isValid: (value) => isFields(value) && Object.values(value).every((number) => typeof number === 'number'),
};
/** A value per object; `numberPerObject` checks the numbers. */
export const perObject: Rule = {
  expected: 'a number, or numbers by object name',
  isValid: (value) => typeof value === 'number' || isFields(value),
};
export const iterable: Rule = {
  expected: 'a list, or another iterable',
  isValid: (value) => Object(value) === value && isFunction((value as Partial<Iterable<unknown>>)[Symbol.iterator]),
};
export const stream: Rule = {
  expected: 'an iterable or async iterable',
  isValid: (value) =>
    iterable.isValid(value) ||
    (Object(value) === value && isFunction((value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator])),
};
export const url: Rule = {
  expected: 'a URL, as a string or a URL',
  isValid: (value) => typeof value === 'string' || value instanceof URL,
};

// Space

/** True for a point `{ x, y, z }`: quick, for functions that are called per pick. */
export function isPoint(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { x, y, z } = value as { readonly [axis in 'x' | 'y' | 'z']?: unknown };
  return typeof x === 'number' && typeof y === 'number' && typeof z === 'number';
}

/** True for three finite numbers, quick as {@link isPoint}. */
export function isIndex(value: unknown): boolean {
  return isTriple(value, Number.isFinite);
}

/** True for a voxel size with an origin, quick as {@link isPoint}. */
export function isPlacement(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { voxelSize, origin } = value as { readonly voxelSize?: unknown; readonly origin?: unknown };
  return isTriple(voxelSize, isLength) && isPoint(origin);
}

export const shapeRule: Rule = {
  expected: 'three whole numbers ≥ 0, [z, y, x]',
  isValid: (value) => isTriple(value, isWhole),
};
export const indexRule: Rule = {
  expected: 'three numbers, [z, y, x]',
  isValid: isIndex,
};
export const voxelSizeRule: Rule = {
  expected: 'three lengths above 0 in Å, [z, y, x]',
  isValid: (value) => isTriple(value, isLength),
};
export const point: Rule = {
  expected: 'a point { x, y, z } in Å',
  isValid: isFields,
  fields: { x: someNumber, y: someNumber, z: someNumber },
};
export const finitePoint: Rule = {
  expected: 'a point { x, y, z } in Å',
  isValid: isFields,
  fields: { x: finiteNumber, y: finiteNumber, z: finiteNumber },
};
export const placement: Rule = {
  expected: 'a grid { voxelSize, origin }',
  isValid: isFields,
  fields: { voxelSize: voxelSizeRule, origin: point },
};
export const grid: Rule = {
  expected: 'a grid { shape, voxelSize, origin }',
  isValid: isFields,
  fields: { shape: shapeRule, voxelSize: voxelSizeRule, origin: point },
};

// Volumes, stores, models

export const numericData: Rule = {
  expected: 'a typed array, or an array of numbers',
  isValid: (value) => {
    if (typeof value !== 'object' || value === null) return false;
    const { length, 0: first } = value as ArrayLike<unknown>;
    return typeof length === 'number' && (length === 0 || typeof first === 'number' || typeof first === 'bigint');
  },
};
/** A volume-like array; `asVolume` checks that it lies in its data. */
export const volume: Rule = {
  expected: 'a 3-D array { data, shape }',
  isValid: isFields,
  fields: {
    data: numericData,
    shape: { expected: 'three whole numbers ≥ 0, [z, y, x]', isValid: (value) => Array.isArray(value) },
    stride: {
      expected: 'three whole numbers, [z, y, x]',
      isValid: (value) => value === undefined || Array.isArray(value) || ArrayBuffer.isView(value),
    },
  },
};
/** A volume source. */
export const source: Rule = {
  expected: 'a volume, such as `await openTomogram(store)`',
  isValid: isFields,
  fields: { grid, read: callback },
};
export const readableStore: Rule = {
  expected: 'a store, such as httpStore(url), or directoryStore(path) of cryoet-picks/node',
  isValid: (value) => hasMethods(value, 'get', 'getRange'),
};
export const listableStore: Rule = {
  expected: 'a store whose folders can be listed, such as directoryStore(path) of cryoet-picks/node',
  isValid: (value) => hasMethods(value, 'get', 'getRange', 'list'),
};
export const writableStore: Rule = {
  expected: 'a store that can be written, such as directoryStore(path) of cryoet-picks/node',
  isValid: (value) => hasMethods(value, 'get', 'getRange', 'list', 'set', 'delete'),
};

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return isFields(value) && names.every((name) => isFunction((value as Record<string, unknown>)[name]));
}
export const reader: Rule = {
  expected: 'a reader of bytes, such as blobReader(file), or fileReader(path) of cryoet-picks/node',
  isValid: (value) => hasMethods(value, 'read'),
  fields: { location: text },
};
/** The thresholds of a model card: numbers by object name, or two sets of them. */
export const cardThresholds: Rule = {
  expected: 'numbers by object name, or two sets of them { balanced, competition }',
  isValid: (value) => {
    if (numbersByName.isValid(value)) return true;
    const { balanced, competition } = Object(value) as { readonly balanced?: unknown; readonly competition?: unknown };
    return numbersByName.isValid(balanced) && numbersByName.isValid(competition);
  },
};
export const modelSpec: Rule = {
  expected: 'a model card, such as `model.spec`',
  isValid: isFields,
  fields: {
    name: text,
    tile: shapeRule,
    voxelSize: positiveLength,
    outputStride: { expected: '1, 2 or 4', isValid: (value) => [1, 2, 4].includes(value as number) },
    classes: {
      expected: 'a list of class names, null for background',
      isValid: Array.isArray,
      items: { expected: 'a class name, or null', isValid: (value) => value === null || typeof value === 'string' },
    },
    thresholds: cardThresholds,
    minDistances: numbersByName,
  },
};
export const model: Rule = {
  expected: 'a model, such as `await loadModel(ort)`',
  isValid: isFields,
  fields: { spec: modelSpec, score: callback },
};
export const project: Rule = {
  expected: 'a project, such as `await openProject(path)`',
  isValid: (value) => hasMethods(value, 'run', 'runs', 'object'),
};
export const run: Rule = {
  expected: 'a run, such as `await project.run(name)`',
  isValid: (value) => hasMethods(value, 'tomogram', 'writePicks', 'writeCandidates'),
};
export const plan: Rule = {
  expected: 'a plan of `planTiles`',
  isValid: isFields,
  fields: {
    shape: shapeRule,
    tile: shapeRule,
    outputShape: shapeRule,
    outputStride: { expected: '1, 2 or 4', isValid: (value) => [1, 2, 4].includes(value as number) },
    axis: { expected: '0 (z), 1 (y) or 2 (x)', isValid: (value) => [0, 1, 2].includes(value as number) },
    weights: {
      expected: 'lists of weights along z, y, x',
      isValid: (value) => isTriple(value, (lists) => Array.isArray(lists) && lists.every(ArrayBuffer.isView)),
    },
    tiles: {
      expected: 'a list of tiles { start, index }',
      isValid: (value) => Array.isArray(value) && value.every((tile) => isIndex(tile?.start) && isIndex(tile?.index)),
    },
    segments: {
      expected: 'a list of segments { start, end, lastTile }',
      isValid: (value) =>
        Array.isArray(value) &&
        value.every((one) => isWhole(one?.start) && isWhole(one?.end) && isWhole(one?.lastTile)),
    },
  },
};
const typedArray: Rule = { expected: 'a typed array', isValid: ArrayBuffer.isView };
export const intensity: Rule = {
  expected: 'an intensity, such as `await measureIntensity(tomogram)`',
  isValid: isFields,
  fields: {
    count: count,
    notFinite: count,
    mean: finiteNumber,
    standardDeviation: finiteNumber,
    minimum: finiteNumber,
    maximum: finiteNumber,
    levels: typedArray,
    counts: typedArray,
  },
};

// Picks

/** A list of picks, not looked into: what ranks or writes them checks each on its way. */
export const picks: Rule = {
  expected: 'a list of picks { object, position: { x, y, z } in Å, score }',
  isValid: Array.isArray,
};
/** A list of points, not looked into. */
export const points: Rule = { expected: 'a list of points { x, y, z } in Å', isValid: Array.isArray };
/** Picks by run. */
export const runPicks: Rule = {
  expected: "a list of runs, [{ run: 'TS_1', picks }]",
  isValid: Array.isArray,
  items: { expected: "a run { run: 'TS_1', picks }", isValid: isFields, fields: { run: text, picks } },
};

/** A number that may differ between objects: one for all of them, or one by the name of each. */
export type PerObject = number | Readonly<Record<string, number>>;

/**
 * Resolves an option that has a number per object; every number given is checked at once.
 *
 * Only own properties of a record count: an object named "constructor" has no number unless the record gives one.
 *
 * @param option - Name of the option, for messages.
 * @param call - Name of the function whose option it is, for messages.
 * @returns The number of an object. It throws `invalid-option`, naming the object, if a record lacks it.
 * @throws {@link CryoetPicksError} `invalid-option` if a number does not follow the rule, or `value` is neither a number nor
 * a record.
 */
export function numberPerObject(
  option: string,
  value: PerObject,
  rule: Rule,
  call?: string,
): (object: string) => number {
  const place = call === undefined ? '' : `${call}: `;
  if (typeof value === 'number') {
    checkNumber(value, rule, { option, what: `${place}${option}` });
    return () => value;
  }
  if (!isFields(value)) {
    const hint = Object(value) === value ? '; pass a number, or numbers by object name' : '';
    const message = `${place}${option} must be ${rule.expected}, found ${describeValue(value)}${hint}`;
    throw new CryoetPicksError('invalid-option', message, { option });
  }
  for (const [object, number] of Object.entries(value)) {
    checkNumber(number, rule, { option, what: `${place}${option} of "${object}"` });
  }
  return (object) => {
    const number = ownNumber(value, object);
    if (number !== undefined) return number;
    throw new CryoetPicksError(
      'invalid-option',
      `${place}${option} has no value for "${object}"; it has one for ${quotedNames(Object.keys(value))}`,
      { option },
    );
  };
}

/** The number of an object in a record; undefined for names that every record inherits, such as "constructor". */
export function ownNumber(numbers: Readonly<Record<string, number>> | undefined, object: string): number | undefined {
  return numbers && Object.hasOwn(numbers, object) ? numbers[object] : undefined;
}

/** Names in quotes, for messages. */
export function quotedNames(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `"${name}"`).join(', ');
}

interface CheckedNumber {
  readonly option: string;
  /** The number, for the message. */
  readonly what: string;
}

function checkNumber(value: unknown, { expected, isValid }: Rule, { option, what }: CheckedNumber): void {
  if (isValid(value)) return;
  throw new CryoetPicksError('invalid-option', `${what} must be ${expected}, found ${describeValue(value)}`, {
    option,
  });
}

/** The fields that are given: an option that is `undefined` counts as left out. */
export function givenFields<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
