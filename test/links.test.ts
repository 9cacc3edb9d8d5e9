import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

it('every relative link of the Markdown pages leads to a file, and to a heading where it names one', () => {
  const pages = markdownPages();

  expect(pages.length).toBeGreaterThan(30);
  expect(pages.flatMap((path) => brokenLinks(path, readFileSync(path, 'utf8')))).toEqual([]);
});

it('a link to an absent file or heading is found to be broken', () => {
  const text =
    '# Title\n[a](README.md#no-such-heading) [b](nowhere.md) ![c](docs/none.png) [d](#title) [e](docs/README.md)\n';

  expect(brokenLinks(join(root, 'page.md'), text)).toEqual([
    'page.md: README.md#no-such-heading',
    'page.md: nowhere.md',
    'page.md: docs/none.png',
  ]);
});

it('every page of docs is linked from the index of the docs', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const linked = new Set(linksOf(index).map((link) => resolve(root, 'docs', link)));
  const pages = markdownPages().filter((path) => path.startsWith(join(root, 'docs/')));

  expect(pages.filter((path) => path !== join(root, 'docs/README.md') && !linked.has(path))).toEqual([]);
});

/** Pages that people read, generated ones left out. */
function markdownPages(): string[] {
  const folders = ['docs', 'examples', 'training'].flatMap((name) =>
    readdirSync(join(root, name), { recursive: true, encoding: 'utf8' }).map((path) => join(root, name, path)),
  );
  const top = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'].map((name) => join(root, name));
  const notOurs = ['docs/api', 'docs/node_modules'].map((name) => join(root, name, sep));
  return [...top, ...folders].filter(
    (path) => path.endsWith('.md') && !notOurs.some((folder) => path.startsWith(folder)),
  );
}

function brokenLinks(page: string, text: string): string[] {
  return linksOf(text)
    .filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : resolve(dirname(page), file);
      if (file !== '' && !existsSync(target)) return true;
      if (anchor === undefined) return false;
      if (file !== '' && statSync(target).isDirectory()) return true;
      return !anchorsOf(file === '' ? text : readFileSync(target, 'utf8')).has(anchor);
    })
    .map((link) => `${relative(root, page)}: ${link}`);
}

/** Targets of the links and pictures of a page that lie in this repository; code is left out. */
function linksOf(text: string): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of text.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#{1,6} (.+)$/gm)) {
    const base = heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let anchor = base;
    for (let i = 1; anchors.has(anchor); i++) anchor = `${base}-${i}`;
    anchors.add(anchor);
  }
  return anchors;
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
}
