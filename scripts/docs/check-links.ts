/**
 * Checks the built docs site: every link and picture of every page leads to a file of the site, and every fragment to a
 * place in its page. Exit status 1 if one does not.
 *
 *     npx tsx scripts/docs/check-links.ts [--base /x/]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { base: { type: 'string', default: process.env.DOCS_BASE ?? '/' } } });
const { base } = values;
const site = resolve(import.meta.dirname, '../../docs/.vitepress/dist');
const pages = readdirSync(site, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.html'));

const texts = new Map(pages.map((page) => [page, readFileSync(join(site, page), 'utf8')]));
const places = new Map([...texts].map(([page, text]) => [page, new Set(attributes(text, 'id'))]));

const problems = pages.flatMap((page) => {
  const text = texts.get(page)!;
  const links = new Set([...attributes(text, 'href'), ...attributes(text, 'src')]);
  return [...links].flatMap((link) => problemOf(page, link) ?? []).map((problem) => `${page}: ${problem}`);
});
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages under ${base}, ${problems.length} dead links`);
process.exitCode = problems.length === 0 && pages.length > 0 ? 0 : 1;

function attributes(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g'))].map(([, value]) => value!.replaceAll('&amp;', '&'));
}

/** What is wrong with a link of a page; undefined if it leads somewhere, or out of the site. */
function problemOf(page: string, link: string): string | undefined {
  if (/^(https?:|mailto:|data:)/.test(link)) return undefined;
  const url = new URL(link, `http://site${base}${page}`);
  if (!url.pathname.startsWith(base)) return `"${link}" is outside of ${base}`;
  const path = decodeURIComponent(url.pathname.slice(base.length)).replace(/(^|\/)$/, '$1index.html');
  if (!existsSync(join(site, path))) return `"${link}" leads to no file`;
  const place = decodeURIComponent(url.hash.slice(1));
  return place === '' || !places.has(path) || places.get(path)!.has(place)
    ? undefined
    : `"${link}" leads to no place in ${path}`;
}
