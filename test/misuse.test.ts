import { describe, expect, it } from 'vitest';
import { misuse } from './support/misuse/harness.ts';
import { judge } from './support/misuse/judge.ts';
import { returns } from './support/misuse/returns.ts';
import { entries, returnedKinds, subjects } from './support/misuse/subjects.ts';

const names = new Set(subjects.map(({ name }) => name));

// `npm run misuse` makes all calls.
describe('functions that are called with wrong arguments', () => {
  it('a sample of wrong calls each throws a CryoetPicksError, or returns as the table says', async () => {
    const calls = await misuse({ seed: 1, share: 0.03, pairs: 200 });
    const { raw, unexplained } = judge(calls, { isWhole: false });
    expect(raw).toEqual([]);
    expect(unexplained).toEqual([]);
    expect(calls.length).toBeGreaterThan(1000);
  }, 120_000);

  it('every function and class that an entry exports is called', () => {
    const exported = Object.values(entries).flatMap((entry) => Object.entries(entry));
    const functions = exported.filter(([, value]) => typeof value === 'function').map(([name]) => name);
    expect([...new Set(functions)].filter((name) => !names.has(name))).toEqual([]);
  });

  it('every method of what functions return is called', async () => {
    const missing: string[] = [];
    for (const { name, make } of returnedKinds) {
      for (const method of methodsOf(await make())) {
        if (!names.has(`${name}.${method}`)) missing.push(`${name}.${method}`);
      }
    }
    // Each format of picks has it, for files with more than picks.
    expect(missing.filter((one) => !one.endsWith('.leftOut'))).toEqual([]);
  });

  it('each reason of the table is a sentence about calls', () => {
    for (const { why, calls } of returns) {
      expect(why.length).toBeGreaterThan(20);
      expect(Object.keys(calls).length).toBeGreaterThan(0);
    }
  });
});

function methodsOf(object: object): string[] {
  const own = Object.keys(object);
  const prototype = Object.getPrototypeOf(object);
  const inherited = prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);
  const fields = object as Readonly<Record<string, unknown>>;
  return [...own, ...inherited].filter((name) => name !== 'constructor' && typeof fields[name] === 'function');
}
