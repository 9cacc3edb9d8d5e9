import { CryoetPicksError } from '../errors.ts';
import { formatSpacing } from './names.ts';

/** How the parts of a URI are written: as globs, or, after `re:`, as regular expressions. */
export type UriSyntax = 'glob' | 'regex';

/**
 * What a part of a URI asks of a name. An empty part and `*` ask nothing.
 *
 * A regular expression is one of JavaScript, in Unicode mode, and need match from the start only; what it lacks of Python's is
 * an error, not another meaning.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a regular expression that is none.
 */
export function nameMatcher(pattern: string, syntax: UriSyntax): (name: string) => boolean {
  if (pattern === '' || pattern === '*') return () => true;
  if (syntax === 'glob') return globMatcher(pattern);
  const regex = compile(pattern);
  return (name) => regex.test(name);
}

/**
 * What a part of a URI asks of a voxel spacing: a number is compared as such, by its three-decimal label; anything else with the
 * number as Python writes it, `10.0`.
 */
export function spacingMatcher(pattern: string, syntax: UriSyntax): (spacing: number) => boolean {
  const matches = nameMatcher(pattern, syntax);
  const wanted = syntax === 'glob' ? toNumber(pattern) : undefined;
  if (wanted === undefined) return (spacing) => matches(pythonNumber(spacing));
  const label = wanted > 0 && Number.isFinite(wanted) ? formatSpacing(wanted) : undefined;
  return (spacing) => formatSpacing(spacing) === label;
}

/** A number as Python writes it: `10.0` where JavaScript writes `10`. */
export function pythonNumber(value: number): string {
  if (value >= 1e16) return value.toExponential();
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** A text that Python takes for a number, not-a-number and infinities included. */
function toNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  return /^[+-]?(nan|inf|infinity)$/i.test(trimmed) ? Number.NaN : undefined;
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})`, 'u');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('invalid-option', `the URI holds no regular expression: ${reason}`, { cause });
  }
}

/** One step of a glob: any number of characters, or one that passes a test. */
type Step = '*' | ((character: number) => boolean);

/**
 * A glob as Python's `fnmatch` reads it: `*`, `?`, `[seq]` with ranges, `[!seq]`. Takes time in proportion to the lengths of both
 * texts multiplied, at worst.
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

/** Where the set that opens at an index closes: not at once, and not right after its `!`. -1 if nowhere. */
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

/** Greedy, and back to the last star where it fails: an earlier star need never be tried again. */
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
