import { type BenchRun, type Medians, mediansOf } from './medians.ts';
import { comparisons, growths, limits } from './targets.ts';

/** The tables of docs/design/performance.md, as lines of Markdown; stages that did not run are left out. */
export function report(run: BenchRun): string[] {
  const { cpu, cores, node, load, commit, rounds } = run.machine;
  const medians = mediansOf(run);
  const about = `${rounds} round${rounds === 1 ? '' : 's'}, load ${load.toFixed(1)} before the first`;
  return [
    `${cpu}, ${cores} cores, Node ${node}, commit ${commit}, ${about}.`,
    ...table(
      ['this library', 's', 'MB', 'peer', 's', 'MB', 'times as fast', 'target', ''],
      comparisons.flatMap(({ ours, peer, atLeast, times = 1 }) =>
        withAll(medians, [ours, peer], ([own, other]) => {
          const ratio = (times * other!.seconds) / own!.seconds;
          const scaled = times === 1 ? '' : ` × ${times}`;
          return [
            ours,
            own!.seconds.toFixed(3),
            megabytes(own!),
            peer + scaled,
            other!.seconds.toFixed(3) + scaled,
            megabytes(other!),
            ratio.toFixed(2),
            atLeast === undefined ? '' : `≥ ${atLeast.toFixed(2)}`,
            atLeast === undefined ? '' : verdict(ratio >= atLeast),
          ];
        }),
      ),
    ),
    ...table(
      ['bound', 'measured', 'target', ''],
      limits.flatMap(({ what, of, value, show, atLeast, atMost }) =>
        withAll(medians, of, (found) => {
          const measured = value(...found);
          const holds = measured <= atMost && measured >= (atLeast ?? -Infinity);
          const bound = atLeast === undefined ? `≤ ${show(atMost)}` : `${show(atLeast)} … ${show(atMost)}`;
          return [what, show(measured), bound, verdict(holds)];
        }),
      ),
    ),
    ...table(
      ['work', 's', 'of more', 's', 'times as much work', 'times as long'],
      growths.flatMap(({ from, to, times }) =>
        withAll(medians, [from, to], ([less, more]) => [
          from,
          less!.seconds.toFixed(3),
          to,
          more!.seconds.toFixed(3),
          String(times),
          (more!.seconds / less!.seconds).toFixed(2),
        ]),
      ),
    ),
  ];
}

function verdict(holds: boolean): string {
  return holds ? 'holds' : '**missed**';
}

function megabytes({ memory }: Medians): string {
  return String(Math.round(memory / 1e6));
}

/** One row if all timings were measured, otherwise none. */
function withAll<T>(
  medians: ReadonlyMap<string, Medians>,
  names: readonly string[],
  row: (found: readonly Medians[]) => T,
): T[] {
  const found = names.flatMap((name) => medians.get(name) ?? []);
  return found.length === names.length ? [row(found)] : [];
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  return ['', ...[header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)];
}
