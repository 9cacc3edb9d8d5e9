import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
}

const lock: { readonly packages: Readonly<Record<string, Locked>> } = JSON.parse(
  readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'),
);
const production = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && !dev);

/** Whether a range of `engines` admits some version of Node of a major number, as `>=18` and `^20.19.0 || >=22` admit 20. */
function admits(range: string, major: number): boolean {
  return range.split('||').some((alternative) =>
    alternative
      .replace(/([<>=^~])\s+/g, '$1')
      .trim()
      .split(/\s+/)
      .every((part) => {
        const [, operator = '', number = ''] = /^(>=|<=|<|>|\^|~|=)?\s*v?(\d+|\*)/.exec(part) ?? [];
        if (number === '*') return true;
        if (operator === '>=' || operator === '>') return Number(number) <= major;
        if (operator === '<') return Number(number) > major;
        if (operator === '<=') return Number(number) >= major;
        return number !== '' && Number(number) === major;
      }),
  );
}

it('the settings of npm in this folder run no install script, and are ones that every npm knows', () => {
  const lines = readFileSync(new URL('../.npmrc', import.meta.url), 'utf8').split('\n');
  // npm 11 warns at every call of settings that it does not know, such as those of onnxruntime-node's script.
  expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual(['ignore-scripts=true']);
});

describe('a dependency that users install', () => {
  it('every dependency that users install runs in Node 20, as package.json promises', () => {
    expect(production.length).toBeGreaterThan(20);
    const refused = production
      .filter(([, { engines }]) => engines?.node !== undefined && !admits(engines.node, 20))
      .map(([path, { version, engines }]) => `${path} ${version} needs Node ${engines?.node}`);
    expect(refused).toEqual([]);
  });

  it.each<[string, boolean]>([
    ['>=20', true],
    ['>= 16', true],
    ['>=18.0.0 <21', true],
    ['^18 || ^20 || >=22', true],
    ['^20.19.0 || ^22.12.0 || >=24.0.0', true],
    ['*', true],
    ['20.x', true],
    ['>=22', false],
    ['^18', false],
    ['>=14 <20', false],
    ['^22 || >=24', false],
  ])('the range %s is judged correctly: %s', (range, isAdmitted) => {
    expect(admits(range, 20)).toBe(isAdmitted);
  });
});
