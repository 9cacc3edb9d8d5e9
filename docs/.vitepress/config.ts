import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DefaultTheme, defineConfig } from 'vitepress';
import { linkedFiles, repository, rewrites, siteLink, srcExclude, textOf } from './pages.ts';
import { searchTerms } from './search-terms.ts';

/** What a group of the sidebar lists: its pages in the order of reading. */
const guides = {
  'Find particles': ['pick-in-a-file', 'pick-in-a-project', 'remote-data', 'speed-and-memory'],
  'Many tomograms': ['many-tomograms', 'workflow-engines', 'share-runs-in-a-program'],
  'Look and correct': [
    'look-at-picks',
    'view',
    'share-the-page',
    'edit-picks',
    'move-thresholds',
    'choose-thresholds',
    'masks',
  ],
  'Your own particle': [
    'teach-a-particle',
    'match-a-map',
    'bring-your-own-network',
    'combine-models',
    'train-a-network',
  ],
  'Hand over': ['convert-picks', 'score', 'write-volumes', 'simulate'],
  'Build with it': ['browser', 'bundlers-and-threads'],
  'When it fails': ['voxel-size-and-contrast', 'network-goes-wrong', 'install'],
};

const reference = [
  'cli',
  'view',
  'many-tomograms',
  'pipeline',
  'models',
  'kinds-of-networks',
  'tiling',
  'peaks',
  'matching',
  'metric',
  'formats',
  'copick',
  'copick-writing',
  'portal',
  'volumes',
  'ome-zarr',
  'coordinates',
  'simulation',
  'errors',
];

const design = ['performance', 'tiling', 'networks', 'false-picks', 'simulation', 'page'];

/** The first heading of a page of `docs`. */
function titleOf(path: string): string {
  const text = readFileSync(join(repository, 'docs', `${path}.md`), 'utf8');
  return /^# (.*)$/m.exec(text)![1]!.replaceAll('`', '');
}

function items(folder: string, names: readonly string[]): DefaultTheme.SidebarItem[] {
  return names.map((name) => ({ text: titleOf(`${folder}/${name}`), link: `/${folder}/${name}` }));
}

requireAll('guides', Object.values(guides).flat());
requireAll('reference', reference);
requireAll('design', design);

/** Throws if the sidebar lacks a page of a folder. */
function requireAll(folder: string, listed: readonly string[]): void {
  const pages = readdirSync(join(repository, 'docs', folder)).map((name) => name.replace(/\.md$/, ''));
  const missing = pages.filter((name) => !listed.includes(name));
  if (missing.length > 0) throw new Error(`the sidebar lacks ${folder}/${missing.join(', ')}; list it in config.ts`);
}

const entries = ['', '/node', '/io', '/copick', '/portal', '/formats', '/figure', '/simulate', '/ndarray', '/web'];

const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: 'Start',
    items: [
      { text: 'I have …, I want …', link: '/' },
      { text: 'Install and try', link: '/start' },
    ],
  },
  ...Object.entries(guides).map(([text, names]) => ({ text, items: items('guides', names) })),
  { text: 'Examples', items: [{ text: 'Scripts', link: '/examples/' }] },
  {
    text: 'Reference',
    collapsed: true,
    items: [...items('reference', reference), { text: 'Glossary', link: '/glossary' }],
  },
  {
    text: 'API',
    collapsed: true,
    items: entries.map((entry) => ({ text: `cryoet-picks${entry}`, link: `/api/cryoet-picks${entry}/` })),
  },
  {
    text: 'Design notes',
    collapsed: true,
    items: [
      ...items('design', design),
      { text: 'Log of the trained network', link: '/training/log' },
      { text: 'Teaching, measured', link: '/training/teach' },
    ],
  },
];

export default defineConfig({
  title: 'cryoet-picks',
  description: 'Find protein particles in cryo-electron tomograms, in Node and in browsers.',
  base: process.env.DOCS_BASE ?? '/',
  srcDir: repository,
  srcExclude,
  rewrites,
  ignoreDeadLinks: [/^\/source\//], // they are no pages; `check-links.ts` looks for them
  outDir: join(repository, 'docs/.vitepress/dist'),
  markdown: {
    config(md) {
      md.core.ruler.push('site-links', ({ tokens, env }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === 'link_open' ? token.attrGet('href') : null;
          if (href !== null) token.attrSet('href', siteLink(env.realPath ?? env.path, href));
        }
      });
    },
  },
  themeConfig: {
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Guides', link: '/' },
      { text: 'Reference', link: '/reference/cli' },
      { text: 'API', link: '/api/cryoet-picks/' },
    ],
    sidebar,
    outline: [2, 3],
    search: {
      provider: 'local',
      options: { miniSearch: { searchOptions: { processTerm: searchTerms, boost: { title: 4, text: 2, titles: 1 } } } },
    },
  },
  buildEnd({ outDir }) {
    for (const path of linkedFiles) {
      const to = join(outDir, textOf(path));
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(repository, path), to);
    }
  },
});
