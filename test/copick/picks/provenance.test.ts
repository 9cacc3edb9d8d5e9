import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatConfig, newConfig } from '../../../src/entry/copick.ts';
import { openProject } from '../../../src/entry/node.ts';
import { pythonMissing, runPython } from '../../support/python.ts';
import { tempDir } from '../../support/temp-dir.ts';

const list = `
import json, sys, copick
def runs(config):
    root = copick.from_file(config)
    return [[run.name, sorted([p.pickable_object_name, p.user_id, p.session_id, len(p.points)] for p in run.picks)] for run in root.runs]

print(json.dumps([runs(config) for config in sys.argv[1:]]))
`;

it.for(['copick', 'copick2'] as const)('%s lists the same picks beside records of what made them', (name, { skip }) => {
  if (pythonMissing(name)) skip(`a Python with ${name} is missing`);
  return listed(name);
});

it('a record of more than 4 MiB is not written, and one that has grown beyond that counts as absent', async () => {
  const folder = await tempDir();
  const run = await (await openProject(await projectIn(folder, 'with'))).createRun('TS_1');
  const picks = [{ object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 }];
  const author = { userId: 'me', sessionId: '1' };
  await run.writePicks(picks, { ...author, provenance: { ribosome: { threshold: 2 } } });
  const [set] = await run.pickSets();
  expect((await set!.origin())?.provenance).toEqual({ threshold: 2 });
  const file = join(folder, 'with', place, '.me_1_ribosome.provenance');
  const record = await readFile(file, 'utf8');
  await writeFile(file, record.replace('"threshold": 2', `"threshold": 2${'0'.repeat(10_000_000)}`));
  expect((await set!.origin())?.provenance).toBeUndefined();
  const provenance = { ribosome: { note: 'x'.repeat(2 ** 22) } };
  await expect(run.writePicks(picks, { userId: 'me', sessionId: '2', provenance })).rejects.toMatchObject({
    code: 'invalid-option',
    option: 'provenance',
    message: expect.stringMatching(/^what made the picks takes \d+ bytes as JSON; a record holds 4194304$/),
  });
  expect(await run.pickSets({ sessionId: '2' })).toEqual([]);
});

it('a record that is not UTF-8 counts as absent', async () => {
  const folder = await tempDir();
  const run = await (await openProject(await projectIn(folder, 'with'))).createRun('TS_1');
  const picks = [{ object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 }];
  await run.writePicks(picks, { userId: 'me', sessionId: '1', provenance: { ribosome: { note: 'é' } } });
  const [set] = await run.pickSets();
  expect((await set!.origin())?.provenance).toEqual({ note: 'é' });
  const file = join(folder, 'with', place, '.me_1_ribosome.provenance');
  const record = await readFile(file);
  record[record.indexOf('é') + 1] = 'x'.charCodeAt(0);
  await writeFile(file, record);
  expect((await set!.origin())?.provenance).toBeUndefined();
});

async function listed(name: 'copick' | 'copick2'): Promise<void> {
  const folder = await tempDir();
  const config = await projectIn(folder, 'with');
  const run = await (await openProject(config)).createRun('TS_1');
  const picks = [{ object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 }];
  const provenance = { ribosome: { program: 'cryoet-picks' } };
  await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0', provenance });
  const records = (await readdir(join(folder, 'with', place))).filter((one) => one.startsWith('.'));
  expect(records).toEqual(['.cryoet-picks_0_ribosome.provenance']);
  const without = await projectIn(folder, 'without');
  await cp(join(folder, 'with'), join(folder, 'without'), { recursive: true });
  await rm(join(folder, 'without', place, records[0]!));
  const [beside, alone] = JSON.parse(runPython(name, '-c', list, config, without));
  expect(beside).toEqual(alone);
  expect(beside).toEqual([['TS_1', [['ribosome', 'cryoet-picks', '0', 1]]]]);
}

const place = 'ExperimentRuns/TS_1/Picks';

/** Makes an empty overlay of this name, and its config. */
async function projectIn(folder: string, name: string): Promise<string> {
  const overlayRoot = join(folder, name);
  await mkdir(overlayRoot);
  const config = join(folder, `${name}.json`);
  await writeFile(config, formatConfig(newConfig({ overlayRoot, objects: [{ name: 'ribosome', radius: 150 }] })));
  return config;
}
