import { CryoetPicksError } from '../../errors.ts';
import type { CheckedPick } from './checked.ts';

/** Names by the numbers that a file has for them: `{ 1: 'ribosome', 2: 'apo-ferritin' }`. */
export type NamesByNumber = Readonly<Record<number, string>>;

/** How the numbers of a file are called. */
export interface ObjectNames {
  /** Object of all rows, whatever their class, where `objects` is not given. */
  readonly object?: string | undefined;
  /** Objects by class number; writing without it numbers objects from 1 in order of first appearance. */
  readonly objects?: NamesByNumber | undefined;
}

/** How the numbers of a file are called. */
export interface RunNames {
  /** Run of all rows, for a file of one tomogram, where `runs` is not given. */
  readonly run?: string | undefined;
  /**
   * Runs by tomogram number. Reading without it, and without `run`, takes the number as name; writing without it keeps
   * names that are numbers, and else numbers runs from 1 in order of first appearance.
   */
  readonly runs?: NamesByNumber | undefined;
}

/** The object of a class number. @throws {@link CryoetPicksError} `invalid-option` where no option tells. */
export function objectOf(number: number, { object, objects }: ObjectNames, place: string): string {
  const name = objects === undefined ? object : objects[number];
  if (name !== undefined) return name;
  const needed =
    objects === undefined
      ? 'objects have numbers, not names; give the option object, or objects by class number'
      : `the option objects names no class ${number}; it has ${Object.keys(objects).join(', ') || 'none'}`;
  throw new CryoetPicksError('invalid-option', `${place}: ${needed}`);
}

/**
 * Names for the tomogram numbers of a file.
 *
 * @throws {@link CryoetPicksError} `invalid-option` where one name is given for several tomograms, or a number has none.
 */
export function runsOf(
  numbers: readonly number[],
  { run, runs }: RunNames,
  source: string,
): (number: number) => string {
  if (runs !== undefined) {
    return (number) => {
      const name = runs[number];
      if (name !== undefined) return name;
      throw new CryoetPicksError('invalid-option', `${source}: the option runs names no tomogram ${number}`);
    };
  }
  const found = new Set(numbers);
  if (run !== undefined && found.size > 1) {
    throw new CryoetPicksError(
      'invalid-option',
      `${source} is of ${found.size} tomograms, and the option run names one; give runs by tomogram number`,
    );
  }
  return (number) => run ?? String(number);
}

/** Class numbers of the objects of picks. */
export function numberObjects(picks: readonly CheckedPick[], { objects }: ObjectNames): (pick: CheckedPick) => number {
  const numberOf = numbersFor(new Set(picks.map(({ pick }) => pick.object)), { names: objects, option: 'objects' });
  return ({ pick }) => numberOf(pick.object);
}

/** Tomogram numbers of the runs of picks. */
export function numberRuns(picks: readonly CheckedPick[], { runs }: RunNames): (pick: CheckedPick) => number {
  const numberOf = numbersFor(new Set(picks.map(({ run }) => run)), { names: runs, option: 'runs' });
  return ({ run }) => numberOf(run);
}

/** Numbers for names: the names themselves where all are whole numbers, else from 1 in their order. */
export function numbered(names: ReadonlySet<string>): NamesByNumber {
  const whole = [...names].every((name) => /^[1-9]\d{0,5}$/.test(name));
  return Object.fromEntries([...names].map((name, index) => [whole ? name : index + 1, name]));
}

function numbersFor(
  found: ReadonlySet<string>,
  { names, option }: { readonly names: NamesByNumber | undefined; readonly option: string },
): (name: string) => number {
  const numbers = new Map(Object.entries(names ?? numbered(found)).map(([number, name]) => [name, Number(number)]));
  return (name) => {
    const number = numbers.get(name);
    if (number !== undefined) return number;
    throw new CryoetPicksError('invalid-option', `the option ${option} has no number for ${JSON.stringify(name)}`);
  };
}
