import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** What a guide may have beside its code, so that it fits on one screen. */
const MAX_WORDS = 400;

it('every guide has at most 400 words beside its code', () => {
  const guides = readdirSync(join(root, 'docs/guides'));
  const long = guides
    .map((name) => ({ name, words: wordsOf(readFileSync(join(root, 'docs/guides', name), 'utf8')) }))
    .filter(({ words }) => words > MAX_WORDS);

  expect(guides.length).toBeGreaterThan(20);
  expect(long).toEqual([]);
});

it('words are counted in headings, tables and links, and neither in code nor in addresses', () => {
  expect(
    wordsOf('# One two\n\n```sh\nnot counted\n```\n\n| three | `no` |\n|---|---|\n\n[four five](no/no.md#no), 6.\n'),
  ).toBe(6);
});

function wordsOf(markdown: string): number {
  const prose = markdown
    .replaceAll(/^```.*?^```$/gms, '')
    .replaceAll(/`[^`\n]*`/g, '')
    .replaceAll(/\]\([^)]*\)/g, ']');
  return prose.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
