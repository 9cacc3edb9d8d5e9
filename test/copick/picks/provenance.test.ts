import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatConfig, newConfig } from '../../../src/entry/copick.ts';
import { openProject } from '../../../src/entry/node.ts';
import { pythonMissing, pythons } from '../../support/python.ts';
import { tempDir } from '../../support/temp-dir.ts';

const list = `
import json, sys, copick
root = copick.from_file(sys.argv[1])
runs = [[run.name, sorted([p.pickable_object_name, p.user_id, p.session_id, len(p.points)] for p in run.picks)] for run in root.runs]
print(json.dumps(runs))
`;

it.for(['copick', 'copick2'] as const)('%s lists the same picks beside records of what made them', (name, { skip }) => {
  if (pythonMissing(name)) skip(`a Python with ${name} is missing`);
  return listed(name);
});

async function listed(name: 'copick' | 'copick2'): Promise<void> {
  const folder = await tempDir();
  const overlayRoot = join(folder, 'overlay');
  await mkdir(overlayRoot);
  const config = join(folder, 'copick.json');
  await writeFile(config, formatConfig(newConfig({ overlayRoot, objects: [{ name: 'ribosome', radius: 150 }] })));
  const run = await (await openProject(config)).createRun('TS_1');
  const picks = [{ object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 }];
  const provenance = { ribosome: { program: 'cryoet-picks' } };
  await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0', provenance });
  const tell = () =>
    JSON.parse(execFileSync(pythons[name].command!, ['-W', 'ignore', '-c', list, config], { encoding: 'utf8' }));
  const records = (await readdir(join(overlayRoot, 'ExperimentRuns/TS_1/Picks'))).filter((one) => one.startsWith('.'));
  expect(records).toEqual(['.cryoet-picks_0_ribosome.provenance']);
  const beside = tell();
  await rm(join(overlayRoot, 'ExperimentRuns/TS_1/Picks', records[0]!));
  expect(beside).toEqual(tell());
  expect(beside).toEqual([['TS_1', [['ribosome', 'cryoet-picks', '0', 1]]]]);
}
