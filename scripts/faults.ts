/**
 * Reads an image from a server of faults on this machine: every fault on every kind of store must give the right voxels, an error of
 * the library or a warning, within 30 s and 300 MB. Wrong voxels are listed by name; they are allowed where nothing on the wire tells.
 *
 *     npm run faults -- [--kind KIND] [--fault TEXT]
 */
import { parseArgs } from 'node:util';
import { faults } from '../test/support/faults/cases.ts';
import { faultOf, kinds, tryFault } from '../test/support/faults/run.ts';

const { values } = parseArgs({ options: { kind: { type: 'string' }, fault: { type: 'string' } } });
const wanted = faults.filter(({ name }) => name.includes(values.fault ?? ''));
const counts: Record<string, number> = {};
let [failed, slowest, largest] = [0, 0, 0];
for (const kind of kinds.filter((one) => one === (values.kind ?? one))) {
  for (const fault of wanted) {
    const verdict = await tryFault(fault, kind);
    const { outcome, seconds, megabytes, message } = verdict;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    [slowest, largest] = [Math.max(slowest, seconds), Math.max(largest, megabytes)];
    const problem = faultOf(verdict);
    if (problem !== undefined) failed++;
    if (problem !== undefined || outcome === 'wrong' || values.fault !== undefined)
      console.log(`${problem ? 'FAILED' : outcome}: ${kind}, ${fault.name}: ${problem ?? ''} ${message}`);
  }
}
console.log(`${wanted.length} faults: at most ${slowest.toFixed(1)} s and ${largest.toFixed(0)} MB`, counts);
console.log(failed === 0 ? 'no failures' : `${failed} failures`);
process.exitCode = failed === 0 ? 0 : 1;
