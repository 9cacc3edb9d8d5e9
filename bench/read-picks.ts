// Times reading and writing large picks files: npx tsx bench/read-picks.ts [points]
import { formatPicksFile, parsePicksFile } from '../src/entry/copick.ts';
import { type FormatOptions, picksFormat, picksFormatNames } from '../src/entry/formats.ts';
import type { ParticlePick, PicksFormat } from '../src/entry/index.ts';
import { rotationFromEuler, transformOf } from '../src/picks/rotation.ts';

const count = Number(process.argv[2] ?? 50_000);
const picks: ParticlePick[] = Array.from({ length: count }, (_, i) => ({
  object: 'ribosome',
  position: { x: (i * 7.31) % 6300, y: (i * 3.17) % 6300, z: (i * 1.13) % 1800 },
  score: (i % 100) / 100,
  instanceId: i + 1,
  transform: transformOf(rotationFromEuler([i % 360, i % 180, (i * 7) % 360], 'relion')),
}));
const runs = [{ run: 'TS_1', picks }];
const options: FormatOptions = { voxelSize: 10, shape: [184, 630, 630], run: 'TS_1', object: 'ribosome' };

/** The best of five, in milliseconds. */
function time(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

const text = formatPicksFile({ object: 'ribosome', userId: 'me', sessionId: '0', picks });
const parsed = time(() => JSON.parse(text));
const read = time(() => parsePicksFile(text, { source: 'a.json' }));
console.log(
  `${count} points; JSON.parse ${parsed.toFixed(0)} ms; picks file ${read.toFixed(0)} ms, ${(read / parsed).toFixed(1)} ×`,
);
for (const name of picksFormatNames) {
  const format = picksFormat(name, options) as PicksFormat<string | Uint8Array>;
  const content = format.format(runs);
  const [reading, writing] = [time(() => format.parse(content, name)), time(() => format.format(runs))];
  console.log(
    `${name.padEnd(12)} read ${reading.toFixed(0).padStart(5)} ms  write ${writing.toFixed(0).padStart(5)} ms`,
  );
}
