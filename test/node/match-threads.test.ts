import { execFile } from 'node:child_process';
import { renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { matchThreads } from '../../src/entry/node.ts';
import { tempDir } from '../support/temp-dir.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

it('matchThreads finds in threads the scores of one thread, stops them at an abort, and lets the process end', async () => {
  const folder = await tempDir();
  symlinkSync(repository('node_modules'), join(folder, 'node_modules'), 'dir');
  await build({
    ...{ bundle: true, splitting: true, platform: 'node', format: 'esm', packages: 'external' },
    alias: { '#decode-pool': repository('src/node/decode-pool.ts') },
    entryPoints: ['src/entry/index.ts', 'src/entry/node.ts', 'src/node/match-worker.ts'].map(repository),
    ...{ entryNames: '[name]', outdir: join(folder, 'dist') },
  });
  renameSync(join(folder, 'dist/match-worker.js'), join(folder, 'dist/node-match-worker.js'));
  const program = `
    import { contiguousVolume, makeTemplate, matchTemplate, sourceFromArray } from './dist/index.js';
    import { matchThreads } from './dist/node.js';
    const voxels = Float32Array.from({ length: 16 * 18 * 20 }, (_, i) => Math.fround(Math.sin(i * i)));
    const source = sourceFromArray(contiguousVolume(voxels, [16, 18, 20]), { voxelSize: [20, 20, 20] });
    const template = await makeTemplate({ shape: 'tube', radius: 50, length: 100 }, { object: 'a', voxelSize: 20, radius: 60 });
    const threads = matchThreads({ threads: 3 });
    const search = async (options) => {
      for await (const { scores } of matchTemplate(source, template, options)) return scores.data;
    };
    const [alone, together] = [await search({ angles: 60 }), await search({ angles: 60, threads })];
    const controller = new AbortController();
    const onProgress = () => controller.abort('enough');
    const aborted = await search({ angles: 10, threads, signal: controller.signal, onProgress }).catch((reason) => reason);
    console.log(JSON.stringify({ count: threads.count, isEqual: alone.every((score, i) => score === together[i]), aborted }));
  `;
  writeFileSync(join(folder, 'program.mjs'), program);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(folder, 'program.mjs')], {
    timeout: 90_000,
  });
  expect({ found: JSON.parse(stdout), stderr }).toEqual({
    found: { count: 2, isEqual: true, aborted: 'enough' },
    stderr: '',
  });
}, 120_000);

it('matchThreads has no threads beside the caller where the sources run unbuilt, and refuses less than one', () => {
  expect(matchThreads({ threads: 4 }).count).toBe(0);
  expect(() => matchThreads({ threads: 0 })).toThrow(
    expect.objectContaining({ code: 'invalid-option', option: 'threads' }),
  );
});
