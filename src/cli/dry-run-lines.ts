import { formatZyx } from '../space/zyx.ts';
import type { DryRunDocument, RunForecast, Timing } from './dry-run.ts';
import { formatTable } from './table.ts';

/** A forecast as lines: a table of runs, the time of all, and which would fail. */
export function forecastLines(timing: Timing | undefined, runs: DryRunDocument['runs']): string[] {
  const planned = runs.filter((run): run is RunForecast => !('error' in run));
  const total = planned.reduce((sum, { seconds }) => sum + seconds, 0);
  const lines = formatTable({
    header: ['run', 'voxels z×y×x', 'tiles', 'Mvoxels scored', 'memory MB', 'seconds'],
    rows: planned.map(({ run, shape, tiles, voxels, memory, seconds }) => [
      run,
      formatZyx(shape),
      tiles,
      (voxels / 1e6).toFixed(1),
      Math.round(memory / 1e6),
      Math.round(seconds),
    ]),
  });
  const failures = runs.flatMap((run) => ('error' in run ? [`run "${run.run}" would fail: ${run.error.message}`] : []));
  return [
    ...lines,
    '',
    ...(timing ? [`${timedLine(timing)}; about ${duration(total)} in all`] : []),
    ...failures,
    'nothing was written',
  ];
}

function timedLine({ tile, seconds }: Timing): string {
  return `tiles of ${formatZyx(tile)} took ${seconds.map((one) => one.toFixed(2)).join(', ')} s`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
