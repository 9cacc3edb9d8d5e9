import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import { detectProject } from '../../../src/entry/index.ts';
import { directoryStore, overlayClaims } from '../../../src/entry/node.ts';
import { identityModel } from '../identity-model.ts';
import { configText, type WorkerOptions } from './project.ts';

/**
 * A process that searches a project, with claims if it has a lease, and sends a message for each run: the time when the network begins
 * and when its result is written.
 */
const { folder, overlay, sleep, jobs, lease } = JSON.parse(process.argv[2]!) as WorkerOptions;
const model = identityModel({
  tile: [8, 16, 16],
  classes: ['ribosome', null],
  thresholds: { ribosome: 2 },
  minDistances: { ribosome: 30 },
});
const project = projectFromStores({
  config: parseConfig(configText, { source: 'copick.json' }),
  static: directoryStore(`${folder}/static`, { readOnly: true }),
  overlay: directoryStore(overlay, { durable: false }),
});
const results = detectProject(project, {
  tomogram: 'denoised',
  model: {
    ...model,
    async score(...args) {
      await delay(sleep);
      return model.score(...args);
    },
  },
  jobs,
  claim: lease === undefined ? undefined : overlayClaims(project, { lease }),
  prepare(tomogram, { name }) {
    process.send?.({ run: name, begins: Date.now() });
    return tomogram;
  },
});
for await (const { run, status } of results) process.send?.({ run, status, ends: Date.now() });
process.send?.({ done: true });
process.disconnect?.();
