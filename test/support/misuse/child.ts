/**
 * The process that calls the library's functions with wrong arguments: cases `first … end − 1` of those that the seed chooses. It
 * works in a folder of its own, and no request leaves it.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Random } from '../fuzz/random.ts';
import { allCases, describeError, pairCases, runCase } from './cases.ts';
import type { Message } from './harness.ts';

const [seed = '1', share = '1', pairs = '0', first = '0', only = ''] = process.argv.slice(2);
process.chdir(mkdtempSync(join(tmpdir(), 'cryoet-picks-misuse-')));
globalThis.fetch = async () => new Response('', { status: 404 });

const random = new Random('misuse', seed);
const chosen = (await allCases(only)).filter(() => random.chance(Number(share)));
const cases = [...chosen, ...(only === '' ? await pairCases(Number(pairs), Number(seed)) : [])];
const say = (message: Message) => process.send!(message);

let late: string | undefined;
const onLate = (error: unknown) => {
  late = `after the call: ${describeError(error)}`;
};
process.on('unhandledRejection', onLate);
process.on('uncaughtException', onLate);

say({ total: cases.length });
for (let index = Number(first); index < cases.length; index++) {
  const { subject, wrong } = cases[index]!;
  const name = `${subject.name}: ${wrong.join(', ')}`;
  say({ start: index, name });
  const ending = await runCase(cases[index]!);
  await setImmediate();
  const kind = late === undefined ? ending.kind : 'raw';
  say({ ended: index, subject: subject.name, wrong, kind, detail: late ?? ending.detail });
  late = undefined;
}
say({ done: true });
process.disconnect();
