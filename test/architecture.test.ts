import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * The layers of the library, lowest first. A file imports only from lower layers, from an earlier line of its own layer,
 * or from its own folder, whose files are in no order: there, only cycles are refused, and types make none.
 */
const layers: readonly (readonly [layer: number, pattern: RegExp])[] = [
  [0, /^errors\.ts$/],
  [0, /^async\.ts$/],
  [0, /^spare-memory\.ts$/],
  [0, /^show-json\.ts$/],
  [0, /^json\.ts$/],
  [0, /^wasm\.ts$/],
  [0, /^space\//],
  [1, /^volume\//],
  [1, /^tiles\//],
  [1, /^storage\//],
  [1, /^codecs\//],
  [2, /^inference\//],
  [2, /^peaks\//],
  [2, /^ome-zarr\//],
  [2, /^mrc\//],
  [2, /^tiff\//],
  [2, /^zip\//],
  [3, /^picks\/[^/]+\.ts$/],
  [4, /^metric\//],
  [4, /^copick\//],
  [4, /^picks\/formats\//],
  [5, /^figure\//],
  [5, /^simulate\//],
  [5, /^detect[^/]*\.ts$/],
  [5, /^check\.ts$/],
  [6, /^index\.ts$/],
  [6, /^volumes\.ts$/],
  [6, /^peaks\.ts$/],
  [6, /^onnx-worker\.ts$/],
  [6, /^node[^/]*\.ts$/],
  [6, /^web[^/]*\.ts$/],
  [7, /^cli\//],
];

const source = fileURLToPath(new URL('../src/', import.meta.url));

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))
  .sort();

function importsOf(file: string): { path: string; typeOnly: boolean }[] {
  const text = readFileSync(join(source, file), 'utf8');
  const found = [...text.matchAll(/(?:^|\n)\s*(import|export)(\s+type)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)/g)];
  return found.map((m) => ({ path: (m[3] ?? m[4]) as string, typeOnly: m[2] !== undefined }));
}

function localImports(file: string, { types = true }: { types?: boolean } = {}): string[] {
  return importsOf(file)
    .filter(({ path, typeOnly }) => path.startsWith('.') && (types || !typeOnly))
    .map(({ path }) => relative(source, join(source, dirname(file), path)).replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'));
}

function rankOf(file: string): number {
  return layers.findIndex(([, pattern]) => pattern.test(file));
}

/** Files that may import Node modules: they are reachable only from `cryoet-picks/node`, its thread and the command line. */
const nodeOnly = /^(node[^/]*\.ts|onnx-worker\.ts|storage\/directory[^/]*\.ts|cli\/)/;

describe('architecture', () => {
  it('has a layer for every source file', () => {
    expect(files.filter((file) => rankOf(file) < 0)).toEqual([]);
  });

  it.each(files)('%s imports from lower layers, earlier lines or its own folder only', (file) => {
    const rank = rankOf(file);
    const upward = localImports(file).filter((target) => {
      const [layer] = layers[rank]!;
      const targetRank = rankOf(target);
      return layers[targetRank]![0] > layer || (layers[targetRank]![0] === layer && targetRank > rank);
    });
    expect(upward).toEqual([]);
  });

  it('has no import cycle that outlives compilation', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) throw new Error(`import cycle: ${[...path, file].join(' -> ')}`);
      if (done.has(file)) return;
      for (const target of localImports(file, { types: false })) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it.each(files.filter((file) => !nodeOnly.test(file)))('%s imports nothing of Node', (file) => {
    expect(importsOf(file).filter(({ path }) => path.startsWith('node:'))).toEqual([]);
  });

  it('imports ndarray and ndarray-ops only in the ndarray entry, since both compile code at run time', () => {
    const users = files.filter((file) => importsOf(file).some(({ path }) => /^ndarray(-ops)?$/.test(path)));
    expect(users).toEqual(['volume/ndarray.ts']);
  });

  it('names the ONNX runtimes by types only, but for the command line and the thread that loadModel opens', () => {
    const values = files.filter((file) =>
      importsOf(file).some(({ path, typeOnly }) => path.startsWith('onnxruntime') && !typeOnly),
    );
    expect(values.filter((file) => !file.startsWith('cli/'))).toEqual(['node-model.ts', 'onnx-worker.ts']);
  });

  it.each(files)('%s has at most 200 lines', (file) => {
    expect(readFileSync(join(source, file), 'utf8').split('\n').length - 1).toBeLessThanOrEqual(200);
  });
});
