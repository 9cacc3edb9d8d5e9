import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** The root of the repository. */
export const repository = resolve(import.meta.dirname, '../..');

/** Markdown outside of `docs` that is part of the site, and where it is found there. */
const elsewhere: Readonly<Record<string, string>> = {
  'README.md': 'start.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'examples/README.md': 'examples/index.md',
  'training/LOG.md': 'training/log.md',
  'training/radial/README.md': 'training/radial.md',
  'training/teach/README.md': 'training/teach.md',
  'training/template-matching/README.md': 'training/template-matching.md',
  'training/unet/README.md': 'training/unet.md',
};

/** For VitePress: the page of each file. Those of `docs` keep their names; its README is the first page. */
export const rewrites = { ...elsewhere, 'docs/README.md': 'index.md', 'docs/:rest(.*)': ':rest' };

/** For VitePress: what is no page. */
export const srcExclude = ['{.ci,bench,dist,models,scripts,src,test,demo}/**', 'docs/node_modules/**'];

/** Where in the site a file of the repository is, from the site's root; undefined for a file that is no page. */
export function pageOf(file: string): string | undefined {
  const path = relative(repository, file).split(sep).join('/');
  if (path === 'docs/README.md') return '';
  if (path.startsWith('docs/') && path.endsWith('.md')) return html(path.slice('docs/'.length));
  const page = elsewhere[path];
  return page && html(page);
}

function html(page: string): string {
  return page.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '.html');
}

/** The files that pages link to and that are no pages, from the root of the repository. The site has them as text, so that browsers show them. */
export const linkedFiles = new Set<string>();

/** Where in the site the text of such a file is. */
export function textOf(source: string): string {
  return `source/${source}.txt`;
}

/**
 * The link of a page as the site has it: from its root, since a page does not lie there where its file lies.
 *
 * @param file - The Markdown file.
 * @param link - As it is written there, relative to the file.
 */
export function siteLink(file: string, link: string): string {
  if (/^([a-z]+:|#|\/)/.test(link)) return link;
  const [, path, rest] = /^([^#?]*)(.*)$/.exec(link)!;
  const target = join(dirname(file), decodeURI(path!));
  const page = pageOf(target);
  if (page !== undefined) return `/${page}${rest}`;
  if (!existsSync(target) || statSync(target).isDirectory())
    throw new Error(`${relative(repository, file)}: there is no file ${link}`);
  const source = relative(repository, target).split(sep).join('/');
  linkedFiles.add(source);
  return `/${textOf(source)}`;
}
