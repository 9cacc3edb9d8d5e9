/** The process that runs the mutants of one of the library's parsers. */
import { runMutants } from './mutants.ts';
import { targets } from './targets.ts';

const target = targets.find(({ name }) => name === process.argv[2]);
if (target === undefined) throw new Error(`no parser is called ${process.argv[2]}`);
await runMutants(target);
