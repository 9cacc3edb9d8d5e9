// Simulates the copick project that the three networks here learn from: npx tsx examples/models/make-data.ts DIR
import { directoryStore } from 'cryoet-picks/node';
import { difficulties, simulateProject } from 'cryoet-picks/simulate';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected: make-data.ts DIR');

// Small tomograms that hold more particles than real ones do, so that few of them suffice.
const counts = {
  'apo-ferritin': 8,
  'beta-amylase': 4,
  'beta-galactosidase': 4,
  ribosome: 10,
  thyroglobulin: 6,
  'virus-like-particle': 8,
};
await simulateProject(directoryStore(folder), {
  ...difficulties.clean,
  counts,
  runs: 10,
  seed: 500,
  shape: [64, 160, 160],
});
