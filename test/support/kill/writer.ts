/**
 * A process that writes a project over and over until it is killed; see `harness.ts`. In turn n every pick lies at x = n, and
 * every voxel is n, so that a reader can tell a file of two turns from a whole one.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runCli } from '../../../src/cli/program.ts';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import type { VolumeSource } from '../../../src/entry/index.ts';
import { directoryStore, writeMrcFile } from '../../../src/entry/node.ts';
import { sourceOf } from '../volumes.ts';

const [folder = '', first = '1'] = process.argv.slice(2);
const store = directoryStore(folder);
const text = readFileSync(join(folder, 'copick.json'), 'utf8');
const project = projectFromStores({ config: parseConfig(text, { source: 'copick.json' }), overlay: store });
const run = await project.createRun('TS_1');

function uniform(value: number, extent: number): VolumeSource {
  const data = new Float32Array(extent ** 3).fill(value);
  return sourceOf(data, [extent, extent, extent]);
}

async function turn(n: number): Promise<void> {
  await store.set('/copick.json', new TextEncoder().encode(JSON.stringify({ ...JSON.parse(text), turn: n })));
  const picks = ['ribosome', 'virus'].flatMap((object) =>
    Array.from({ length: 200 }, (_, i) => ({ object, position: { x: n, y: i, z: 0 }, score: 1 })),
  );
  await run.writePicks(picks, { userId: 'me', sessionId: '1' });
  await run.writePicks(picks, { userId: 'me', sessionId: `new-${n % 7}` });
  const format = n % 2 === 0 ? 'zarr2' : 'zarr3';
  await run.writeTomogram(uniform(n, 12), { type: 'wbp', overwrite: true, chunkShape: [6, 6, 6], format });
  await run.writeSegmentation(uniform(n % 200, 8), { name: 'virus', userId: 'me', sessionId: '1', overwrite: true });
  await writeMrcFile(join(folder, 'wbp.mrc'), uniform(n, 16));
  const table = join(folder, 'table.csv');
  const rows = picks.map(({ object, position: { x, y, z } }) => `TS_1,${object},${x},${y},${z},1`);
  writeFileSync(table, ['run_name,object_name,x,y,z,score', ...rows, ''].join('\n'));
  await command('convert', table, join(folder, 'converted.csv'), '--from', 'csv', '--to', 'csv');
  await command('import', table, join(folder, 'copick.json'), '--from', 'csv', '--user-id', 'imported', '--overwrite');
}

/** Runs the command line in this process. */
async function command(...args: readonly string[]): Promise<void> {
  let said = '';
  const output = new Writable({
    write: (chunk, _, done) => {
      said += chunk;
      done();
    },
  });
  const { signal } = new AbortController();
  const code = await runCli([...args], { stdout: output, stderr: output, signal });
  if (code !== 0) throw new Error(`${args.join(' ')}: ${said}`);
}

process.send?.({ ready: true });
for (let n = Number(first); ; n++) {
  await turn(n);
  process.send?.({ turn: n });
}
