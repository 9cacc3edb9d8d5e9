import { isFields, positiveLength, type Rule, requireArgument, text as textRule } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatSpacing } from './layout.ts';
import type { ObjectUserSession } from './user-session-files.ts';

/** The parts of a URI of picks, filaments or meshes: `object:user/session`. Each part is a pattern. */
export interface ObjectUserSessionUri {
  readonly syntax: UriSyntax;
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
}

/** The parts of a URI of segmentations: `name:user/session@spacing?multilabel=true`. */
export interface SegmentationUri {
  readonly syntax: UriSyntax;
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly voxelSpacing: string;
  /** Absent if the URI does not have this flag. A URI without `instance` and `panoptic` matches neither kind. */
  readonly multilabel?: boolean | undefined;
  readonly instance?: boolean | undefined;
  readonly panoptic?: boolean | undefined;
}

/** The parts of a URI of tomograms: `type@spacing`. */
export interface TomogramUri {
  readonly syntax: UriSyntax;
  readonly type: string;
  readonly voxelSpacing: string;
}

/** The parts of a URI of features: `type@spacing:feature`. */
export interface FeaturesUri extends TomogramUri {
  readonly featureType: string;
}

/** The parts of a URI, by kind of entity. */
export interface Uris {
  readonly picks: ObjectUserSessionUri;
  readonly filaments: ObjectUserSessionUri;
  readonly mesh: ObjectUserSessionUri;
  readonly segmentation: SegmentationUri;
  readonly tomogram: TomogramUri;
  readonly features: FeaturesUri;
}

/** The kinds of entities that URIs name. A URI itself does not state its kind. */
export type UriKind = keyof Uris;

/** A kind of entity that URIs name. */
export const uriKind: Rule = {
  expected: '"picks", "filaments", "mesh", "segmentation", "tomogram" or "features"',
  isValid: (value) => typeof value === 'string' && Object.hasOwn(partsRules, value),
};

const authoredParts: Rule = {
  expected: 'an object { object, userId, sessionId }',
  isValid: isFields,
  fields: { object: textRule, userId: textRule, sessionId: textRule },
};
const tomogramParts: Rule = {
  expected: 'an object { type, voxelSpacing }',
  isValid: isFields,
  fields: { type: textRule, voxelSpacing: positiveLength },
};
const partsRules: { readonly [K in UriKind]: Rule } = {
  picks: authoredParts,
  filaments: authoredParts,
  mesh: authoredParts,
  segmentation: {
    expected: 'an object { name, userId, sessionId, voxelSpacing }',
    isValid: isFields,
    fields: { name: textRule, userId: textRule, sessionId: textRule, voxelSpacing: positiveLength },
  },
  tomogram: tomogramParts,
  features: { ...tomogramParts, fields: { ...tomogramParts.fields, featureType: textRule } },
};

const flags = ['multilabel', 'instance', 'panoptic'] as const;

/**
 * Parses a copick URI of a given kind. Missing parts become `*`.
 *
 * Parts are globs like those of Python's `fnmatch`, or, after `re:`, regular expressions that match from the start. As in
 * copick, the flags of segmentations begin at the first `?`, so `?` is never a wildcard; `:`, `/` and `@` are always separators.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a URI with more parts than its kind has, or with two kinds of
 *   segmentation.
 * @example
 * ```ts
 * parseUri('picks', 'ribosome:*\/0'); // { syntax: 'glob', object: 'ribosome', userId: '*', sessionId: '0' }
 * ```
 */
export function parseUri<K extends UriKind>(kind: K, text: string): Uris[K];
export function parseUri(kind: UriKind, text: string): Uris[UriKind] {
  requireArgument('parseUri', 'kind', kind, uriKind);
  requireArgument('parseUri', 'text', text, textRule);
  const trimmed = text.trim();
  const syntax: UriSyntax = trimmed.startsWith('re:') ? 'regex' : 'glob';
  const [main, query] = splitOnce(syntax === 'regex' ? trimmed.slice(3) : trimmed, '?');
  const [before, after] = splitOnce(main, '@');
  if (kind === 'tomogram') return { syntax, type: before, voxelSpacing: after ?? '*' };
  if (kind === 'features') {
    const [voxelSpacing, featureType = '*'] = splitOnce(after ?? '*', ':');
    return { syntax, type: before, voxelSpacing, featureType };
  }
  if (kind !== 'segmentation') {
    const [object, userId, sessionId] = authored(main, kind);
    return { syntax, object, userId, sessionId };
  }
  const [name, userId, sessionId] = authored(before, kind);
  return { syntax, name, userId, sessionId, voxelSpacing: after ?? '*', ...segmentationFlags(query, text) };
}

/** The text before a separator, and the text after it, if there is one. */
export function splitOnce(text: string, mark: string): readonly [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)];
}

function authored(text: string, kind: UriKind): [name: string, userId: string, sessionId: string] {
  const [name, rest = '*', ...others] = text.split(':');
  if (others.length > 0) {
    throw new CryoetPicksError('invalid-option', `"${text}" is not a URI of ${kind}: it has more than one ":"`);
  }
  const [userId, sessionId = '*'] = splitOnce(rest, '/');
  return [name!, userId, sessionId];
}

/** Parses the flags of a segmentation in a query. @throws `invalid-option` if more than one is true. */
export function segmentationFlags(
  query: string | undefined,
  text: string,
): Pick<SegmentationUri, (typeof flags)[number]> {
  // A leading "?" of the query itself would be dropped.
  const values = new URLSearchParams(`&${query ?? ''}`);
  const given = flags.flatMap((flag) => {
    const [value, ...others] = values.getAll(flag).filter((one) => one !== '');
    if (value === undefined) return [];
    return [[flag, others.length === 0 && ['true', '1', 'yes'].includes(value.toLowerCase())] as const];
  });
  if (given.filter(([, value]) => value).length > 1) {
    throw new CryoetPicksError('invalid-option', `"${text}" names two kinds of segmentation, expected at most one`);
  }
  return Object.fromEntries(given);
}

/** The fields that {@link formatUri} needs, by kind; every entry that is found has them. */
export interface UriParts {
  readonly picks: ObjectUserSession;
  readonly filaments: ObjectUserSession;
  readonly mesh: ObjectUserSession;
  readonly segmentation: Omit<ObjectUserSession, 'object'> & {
    readonly name: string;
    readonly voxelSpacing: number;
    /** @defaultValue 'binary' */
    readonly kind?: 'binary' | 'multilabel' | 'instance' | 'panoptic' | undefined;
  };
  readonly tomogram: { readonly type: string; readonly voxelSpacing: number };
  readonly features: UriParts['tomogram'] & { readonly featureType: string };
}

/**
 * Formats the URI of an entity as copick does: voxel spacings as `10.0`. A `[` in a name, which a glob would read as a set,
 * becomes `[[]`, so that the URI finds the entity again.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a name that contains a separator of URIs; names made by copick do not.
 * @example
 * ```ts
 * const [segmentation] = await run.segmentations({ name: 'membrane' });
 * formatUri('segmentation', segmentation!); // 'membrane:me/1@10.0'
 * ```
 */
export function formatUri<K extends UriKind>(kind: K, parts: UriParts[K]): string;
export function formatUri(kind: UriKind, parts: UriParts[UriKind]): string {
  requireArgument('formatUri', 'kind', kind, uriKind);
  requireArgument('formatUri', 'parts', parts, partsRules[kind]);
  const isTomogram = kind === 'tomogram' || kind === 'features';
  const uri = isTomogram ? ofTomogram(parts as UriParts['features']) : ofAuthored(parts as ObjectUserSession);
  return uri.startsWith('re:') ? uri.replace('re:', '[r]e:') : uri;
}

function ofTomogram(parts: UriParts['tomogram'] | UriParts['features']): string {
  const uri = `${part(parts.type, '@')}@${pythonNumber(parts.voxelSpacing)}`;
  return 'featureType' in parts ? `${uri}:${part(parts.featureType)}` : uri;
}

function ofAuthored(parts: ObjectUserSession | UriParts['segmentation']): string {
  const marks = 'name' in parts ? '@' : '';
  const name = part('name' in parts ? parts.name : parts.object, `:${marks}`);
  const uri = `${name}:${part(parts.userId, `:/${marks}`)}/${part(parts.sessionId, `:${marks}`)}`;
  if (!('name' in parts)) return uri;
  const { voxelSpacing, kind = 'binary' } = parts;
  return `${uri}@${pythonNumber(voxelSpacing)}${kind === 'binary' ? '' : `?${kind}=true`}`;
}

/** A name as part of a URI. @throws {@link CryoetPicksError} `invalid-option` if it contains one of the separators, or `?`. */
function part(name: string, marks = ''): string {
  const found = [...`?${marks}`].find((mark) => name.includes(mark));
  if (found === undefined && name === name.trim() && name !== '') return name.replaceAll('[', '[[]');
  const reason = found === undefined ? 'it begins or ends with a space, or is empty' : `it contains "${found}"`;
  throw new CryoetPicksError('invalid-option', `the name ${JSON.stringify(name)} cannot be part of a URI: ${reason}`);
}

/** How the parts of a URI are written: as globs, or, after `re:`, as regular expressions. */
export type UriSyntax = 'glob' | 'regex';

/**
 * Makes the matcher of names for a part of a URI. An empty part and `*` match every name. A glob matches names as given or as copick
 * writes them: `ts_user` also finds `ts-user`.
 *
 * A regular expression has JavaScript's syntax, in Unicode mode, and must match from the start, not up to the end. Python syntax
 * that JavaScript lacks is an error; it never changes its meaning silently.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a regular expression that is not valid.
 */
export function nameMatcher(pattern: string, syntax: UriSyntax): (name: string) => boolean {
  if (pattern === '' || pattern === '*') return () => true;
  if (syntax === 'glob') return writtenMatcher(pattern);
  const regex = compile(pattern);
  return (name) => regex.test(name);
}

/**
 * Makes the matcher of voxel spacings for a part of a URI: a number is compared by its three-decimal label; anything else is a
 * pattern for the number as Python writes it, `10.0`.
 */
export function spacingMatcher(pattern: string, syntax: UriSyntax): (spacing: number) => boolean {
  const matches = nameMatcher(pattern, syntax);
  const wanted = syntax === 'glob' ? toNumber(pattern) : undefined;
  if (wanted === undefined) return (spacing) => matches(pythonNumber(spacing));
  const label = wanted > 0 && Number.isFinite(wanted) ? formatSpacing(wanted) : undefined;
  return (spacing) => formatSpacing(spacing) === label;
}

/** Formats a number as Python does: `10.0` where JavaScript writes `10`. */
function pythonNumber(value: number): string {
  if (value >= 1e16) return value.toExponential();
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** A text that Python parses as a number, including NaN and infinities. */
function toNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  return /^[+-]?(nan|inf|infinity)$/i.test(trimmed) ? Number.NaN : undefined;
}

/** Matches names as given, and as copick writes them: with a dash for each underscore. */
function writtenMatcher(pattern: string): (name: string) => boolean {
  const matchesGiven = globMatcher(pattern);
  if (!pattern.includes('_')) return matchesGiven;
  const matchesWritten = globMatcher(pattern.replaceAll('_', '-'));
  return (name) => matchesGiven(name) || matchesWritten(name);
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})`, 'u');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('invalid-option', `the URI contains a regular expression that is not valid: ${reason}`, {
      cause,
    });
  }
}

/** One step of a glob: any number of characters, or one character that passes a test. */
type Step = '*' | ((character: number) => boolean);

/**
 * Parses a glob of Python's `fnmatch`: `*`, `?`, `[seq]` with ranges, `[!seq]`. Matching takes at most time proportional to the
 * product of the lengths of glob and name.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  const steps = stepsOf([...pattern].map((character) => character.codePointAt(0)!));
  return (text) =>
    matchSteps(
      steps,
      [...text].map((character) => character.codePointAt(0)!),
    );
}

const [star, question, open, close, bang, dash] = [...'*?[]!-'].map((character) => character.codePointAt(0)!);

function stepsOf(pattern: readonly number[]): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!;
    const end = character === open ? endOfSet(pattern, i) : -1;
    if (character === star) steps.push('*');
    else if (character === question) steps.push(() => true);
    else if (end < 0) steps.push((other) => other === character);
    else {
      steps.push(setTest(pattern.slice(i + 1, end)));
      i = end;
    }
  }
  return steps;
}

/** The index where the set that opens at an index closes: not at once, and not right after its `!`. -1 if it does not. */
function endOfSet(pattern: readonly number[], start: number): number {
  const first = pattern[start + 1] === bang ? start + 2 : start + 1;
  return pattern.indexOf(close!, first + 1);
}

function setTest(content: readonly number[]): (character: number) => boolean {
  const isNegated = content[0] === bang;
  const members = isNegated ? content.slice(1) : content;
  const ranges: [number, number][] = [];
  for (let i = 0; i < members.length; i++) {
    const isRange = members[i + 1] === dash && i + 2 < members.length;
    ranges.push([members[i]!, members[isRange ? i + 2 : i]!]);
    if (isRange) i += 2;
  }
  return (character) => ranges.some(([low, high]) => low <= character && character <= high) !== isNegated;
}

/** Matches greedily and backtracks to the last star only: earlier stars need not be tried again. */
function matchSteps(steps: readonly Step[], text: readonly number[]): boolean {
  let [at, step] = [0, 0];
  let [starAt, starStep] = [0, -1];
  while (at < text.length) {
    const now = steps[step];
    if (now === '*') [starAt, starStep, step] = [at, step, step + 1];
    else if (now?.(text[at]!)) [at, step] = [at + 1, step + 1];
    else if (starStep >= 0) [starAt, at, step] = [starAt + 1, starAt + 1, starStep + 1];
    else return false;
  }
  return steps.slice(step).every((rest) => rest === '*');
}
