import { isCryoetPicksError } from '../../../src/entry/index.ts';
import { Random } from '../fuzz/random.ts';
import { type Call, type Subject, subjects } from './subjects.ts';
import { nameOf, type Path, placesOf, valueAt, type WrongValue, withValue, wrongValues } from './values.ts';

/** A function called with right arguments but one, or two, or too few. */
export interface MisuseCase {
  readonly subject: Subject;
  /** What is wrong, in words: `options.minDistance = null`; the names of the table of calls that return. */
  readonly wrong: readonly string[];
  readonly change: (args: readonly unknown[]) => readonly unknown[];
}

/** Right calls, which take minutes: the default is a tomogram of 73 million voxels. */
const tooLong: readonly string[] = [
  'simulateTomogram: 0 of 1 arguments',
  'simulateTomogram: options = undefined',
  'simulateTomogram: options = {}',
  'simulateTomogram: options = { absurd: 1 }',
  'simulateTomogram: options = Object.create(null)',
  'simulateTomogram: options.shape = undefined',
  'simulateProject: 1 of 2 arguments',
  'simulateProject: options = undefined',
  'simulateProject: options = {}',
  'simulateProject: options = { absurd: 1 }',
  'simulateProject: options = Object.create(null)',
  'simulateProject: options.shape = undefined',
  'makeTemplate: options.voxelSize = 0.5',
  'matchCandidates: options.angleStep = undefined',
];

/** Every place of every function with every wrong value, and every function with too few arguments. */
export async function allCases(only = ''): Promise<MisuseCase[]> {
  const cases: MisuseCase[] = [];
  for (const subject of subjects) {
    if (only !== '' && subject.name !== only) continue;
    const { args } = await subject.make();
    for (let count = 0; count < args.length; count++) {
      cases.push({
        subject,
        wrong: [`${count} of ${args.length} arguments`],
        change: (right) => right.slice(0, count),
      });
    }
    for (const path of placesOf(args)) {
      for (const value of wrongValues) {
        if (path.length > value.depth || isSame(value.make(undefined), valueAt(args, path))) continue;
        const wrong = [describe(subject, path, value)];
        cases.push({ subject, wrong, change: (right) => changed(right, path, value) });
      }
    }
  }
  return cases.filter(isShort);
}

function isShort({ subject, wrong }: MisuseCase): boolean {
  return wrong.every((one) => !tooLong.includes(`${subject.name}: ${one}`));
}

/** Functions with two wrong values, drawn at random. They must not fail with a raw error; what they return is not told. */
export async function pairCases(count: number, seed: number): Promise<MisuseCase[]> {
  const random = new Random('pairs', seed);
  const cases: MisuseCase[] = [];
  while (cases.length < count) {
    const subject = random.pick(subjects);
    const places = placesOf((await subject.make()).args);
    if (places.length < 2) continue;
    const [a, b] = [random.pick(places), random.pick(places)];
    if (a.length > b.length ? isWithin(a, b) : isWithin(b, a)) continue;
    const [one, other] = [random.pick(wrongValues), random.pick(wrongValues)];
    const wrong = [describe(subject, a, one), describe(subject, b, other)];
    const drawn: MisuseCase = { subject, wrong, change: (right) => changed(changed(right, a, one), b, other) };
    if (isShort(drawn)) cases.push(drawn);
  }
  return cases;
}

function isWithin(inner: Path, outer: Path): boolean {
  return outer.every((name, i) => inner[i] === name);
}

function describe(subject: Subject, path: Path, value: WrongValue): string {
  return `${nameOf(path, subject.args)} = ${value.name}`;
}

function changed(args: readonly unknown[], path: Path, value: WrongValue): readonly unknown[] {
  return withValue(args, path, value.make(valueAt(args, path)));
}

/** Whether a wrong value is the right one of a place. */
function isSame(wrong: unknown, right: unknown): boolean {
  if (Object.is(wrong, right)) return true;
  const isTyped = (value: unknown) => ArrayBuffer.isView(value) || value instanceof Map || typeof value === 'function';
  if (typeof wrong === 'function' && typeof right === 'function') return true;
  if (Object(wrong) !== wrong || Object(right) !== right || isTyped(wrong) || isTyped(right)) return false;
  if (wrong instanceof Promise || right instanceof Promise) return false;
  return JSON.stringify(wrong) === JSON.stringify(right);
}

/** How a call ended. */
export interface Ending {
  readonly kind: 'error' | 'returned' | 'raw';
  /** The code of the error, or what was thrown. */
  readonly detail: string;
}

/** Calls a function with wrong arguments and looks at all that comes: a value, the value of a promise, the items of a stream. */
export async function runCase({ subject, change }: MisuseCase): Promise<Ending> {
  const { call, args }: Call = await subject.make();
  try {
    await takeAll(await call(...change(args)));
    return { kind: 'returned', detail: '' };
  } catch (error) {
    if (!isCryoetPicksError(error)) return { kind: 'raw', detail: describeError(error) };
    const { message, code } = error;
    const isPoor = message.length > 2000 || /\[object |: $|^\s*$/.test(message);
    return isPoor
      ? { kind: 'raw', detail: `a poor message: ${message.slice(0, 300)}` }
      : { kind: 'error', detail: `${code}: ${message}` };
  }
}

/** What was thrown, and where in the library. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const at = (error.stack ?? '').split('\n').find((line) => /[/\\](src|dist|node_modules)[/\\]/.test(line));
  return `${error.name}: ${error.message.slice(0, 300)}${at === undefined ? '' : ` (${at.trim().replace(/.*[/\\]((src|dist|node_modules)[/\\])/, '$1')}`}`;
}

async function takeAll(result: unknown): Promise<void> {
  if (typeof result !== 'object' || result === null) return;
  if (Symbol.asyncIterator in result) {
    let taken = 0;
    for await (const _ of result as AsyncIterable<unknown>) if (++taken === 50) break;
  }
  const { dispose } = result as { readonly dispose?: unknown };
  if (typeof dispose === 'function' && 'score' in result) await dispose.call(result);
}
