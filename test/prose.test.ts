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

it('the README, docs, changelog and sources, with their help and errors, have no phrase to avoid', () => {
  const files = ['README.md', 'CHANGELOG.md', ...filesIn('docs', /\.md$/), ...filesIn('src', /\.ts$/)];
  const phrases = phrasesToAvoid();

  expect(files.length).toBeGreaterThan(300);
  expect(phrases.length).toBeGreaterThan(10);
  expect(files.flatMap((path) => found(phrases, path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
});

it('a phrase is found across the lines of a comment or of a joined text, with the plain words for it', () => {
  const text =
    '/**\n * The voxel at hand; null if it\n * is none.\n */\n// Whoever waits is told.\nthrow new Error("an option tells " +\n  "of it");\n';

  expect(found(phrasesToAvoid(), 'file.ts', text)).toEqual([
    expect.stringMatching(/^file\.ts:2: "it is none": say /),
    expect.stringMatching(/^file\.ts:5: "Whoever": say /),
    expect.stringMatching(/^file\.ts:6: "tells of": say /),
  ]);
});

interface Phrase {
  readonly pattern: RegExp;
  /** What to write in its place. */
  readonly plain: string;
}

/** The lines of docs/phrases-to-avoid.txt: a regular expression, then two blanks or more, then the plain words. */
function phrasesToAvoid(): Phrase[] {
  const lines = readFileSync(join(root, 'docs/phrases-to-avoid.txt'), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [pattern, plain] = line.split(/ {2,}/);
      if (plain === undefined) throw new Error(`docs/phrases-to-avoid.txt: "${line}" lacks the plain words`);
      return { pattern: new RegExp(`\\b(?:${pattern})\\b`, 'gi'), plain };
    });
}

/** Where a text has phrases to avoid. A blank also matches a line break in a comment, or in a text joined by a plus. */
function found(phrases: readonly Phrase[], path: string, text: string): string[] {
  const prose = text.replaceAll(/(?:['"`] \+)?\n[ \t]*(?:\*(?!\/)|\/\/|>|['"`])?[ \t]*/g, '\n');
  return phrases.flatMap(({ pattern, plain }) =>
    [...prose.matchAll(new RegExp(pattern.source.replaceAll(' ', '\\s+'), pattern.flags))].map(
      ({ 0: phrase, index }) =>
        `${path}:${prose.slice(0, index).split('\n').length}: "${phrase.replaceAll(/\s+/g, ' ')}": say ${plain}`,
    ),
  );
}

function wordsOf(markdown: string): number {
  const prose = markdown
    .replaceAll(/^```.*?^```$/gms, '')
    .replaceAll(/`[^`\n]*`/g, '')
    .replaceAll(/\]\([^)]*\)/g, ']');
  return prose.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Files that we write, by their paths from the root. */
function filesIn(folder: string, name: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => name.test(path) && !/^docs\/(api|node_modules)\//.test(path));
}
