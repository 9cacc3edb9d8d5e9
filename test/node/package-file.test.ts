import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { packageFile } from '../../src/node/package-file.ts';
import { tempDir } from '../support/temp-dir.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

it('packageFile finds the network of the package, and no script beside the sources', () => {
  expect(packageFile('models/default.onnx')).toBe(repository('models/default.onnx'));
  expect(packageFile('models/none.onnx')).toBeUndefined();
  expect(packageFile('onnx-worker.js')).toBeUndefined();
});

it.each(['cjs', 'esm'] as const)(
  'the entry ./node can be loaded from the bundle of a server (%s), which has none of the other files',
  async (format) => {
    const folder = await tempDir();
    const outfile = join(folder, format === 'cjs' ? 'server.cjs' : 'server.mjs');
    await build({
      stdin: { contents: program, resolveDir: repository('.'), loader: 'ts' },
      alias: { '#decode-pool': repository('src/node/decode-pool.ts') },
      bundle: true,
      platform: 'node',
      format,
      outfile,
      logLevel: 'error',
      logOverride: { 'empty-import-meta': 'silent' },
      external: ['onnxruntime-node'],
    });
    expect(existsSync(outfile)).toBe(true);
    const stdout = await new Promise<string>((resolve, reject) => {
      const done = (error: Error | null, output: string) => (error ? reject(error) : resolve(output));
      execFile(process.execPath, [outfile], { timeout: 25_000, cwd: folder }, done);
    });
    expect(JSON.parse(stdout)).toEqual({
      code: 'not-found',
      message: expect.stringContaining('pass the path of a copy of cryoet-picks/models/default.onnx'),
    });
  },
);

const program = `
  import { loadModel } from './src/entry/node.ts';
  const ort = { InferenceSession: { create() {} } } as never;
  loadModel(ort).catch(({ code, message }) => console.log(JSON.stringify({ code, message })));
`;

it('no source names a file of the package by a URL relative to itself, which bundlers take for a file to copy', () => {
  for (const name of ['load-model', 'decode-pool', 'onnx-thread', 'package-file']) {
    const code = readFileSync(repository(`src/node/${name}.ts`), 'utf8').replace(/\/\*\*[\s\S]*?\*\//g, '');
    expect(code).not.toContain('new URL(');
  }
});
