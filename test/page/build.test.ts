import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { withPreloads } from '../../scripts/page-build.ts';
import { builtPage } from '../support/served-page.ts';

describe('the built page', () => {
  let files: Map<string, Uint8Array>;
  beforeAll(async () => {
    files = await builtPage();
  }, 60_000);

  it('holds its workers, and neither inline scripts nor inline styles, which its policy forbids', () => {
    const workers = ['decode', 'detect', 'model'].map((name) => `/${name}-worker.js`);
    expect([...files.keys()]).toEqual(expect.arrayContaining(['/main.js', '/style.css', ...workers]));
    const html = new TextDecoder().decode(files.get('/index.html'));
    expect(html).toMatch(/<script type="module" src="\.\/main\.js"><\/script>/);
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|style=|\son\w+=/);
  });

  it('preloads the modules that main.js imports, and no others', () => {
    const text = (name: string) => new TextDecoder().decode(files.get(name));
    const main = text('/main.js');
    const preloads = withPreloads(text('/index.html'), main).matchAll(/<link rel="modulepreload" href="([^"]+)">/g);
    const { statements } = ts.createSourceFile('main.js', main, ts.ScriptTarget.ESNext);
    const imported = statements
      .filter(ts.isImportDeclaration)
      .map(({ moduleSpecifier }) => (moduleSpecifier as ts.StringLiteral).text);
    expect(imported.length).toBeGreaterThan(2);
    expect([...preloads].map(([, name]) => name).sort()).toEqual(imported.sort());
  });

  it('loads no code from another host, and compiles none', () => {
    const forbidden =
      /(?:import|Worker|importScripts)\(["'`]https?:[^)]*|.{0,40}\bnew Function\(|.{0,40}[^.\w]eval\(.{0,20}/g;
    for (const [name, bytes] of files) {
      if (!name.endsWith('.js')) continue;
      expect({ name, found: new TextDecoder().decode(bytes).match(forbidden) }).toEqual({ name, found: null });
    }
  });
});
