// Measures how the time grows: with the volume ×2 and ×4, repeated along y; with candidates ×10; with classes ×2.
import { connectedComponents, localMaxima, type ParticlePick, suppressNearby } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { doubles, floats, openLong, type SlabsOptions, slabsOf, thresholds } from './files.ts';

const scores = floats('scores.f32');
const threshold = thresholds()['1']!;

for (const times of [1, 2, 4]) {
  await measure(`reading, volume ×${times}`, async () => {
    const { grid, read } = await openLong(times);
    const [depth, height, width] = grid.shape;
    let last = 0;
    for (let y = 0; y < height; y += 128) {
      const { data } = await read({ start: [0, y, 0], end: [depth, Math.min(height, y + 128), width] });
      last = data[0]!;
    }
    return last;
  });
  await measure(`localMaxima, volume ×${times}`, () => peaks({ times }));
  await measure(`connectedComponents, volume ×${times}`, () =>
    count(connectedComponents(slabsOf(scores, { times }), { threshold })),
  );
}

for (const classes of [1, 2]) await measure(`localMaxima, classes ×${classes}`, () => peaks({ classes }));

const rows = doubles('points.f64');
const picks = Array.from({ length: rows.length / 4 }, (_, i): ParticlePick => {
  const position = { x: rows[4 * i]!, y: rows[4 * i + 1]!, z: rows[4 * i + 2]! };
  return { object: 'ribosome', position, score: rows[4 * i + 3]! };
});
for (const times of [1, 10]) {
  const some = picks.slice(0, (picks.length / 10) * times);
  await measure(`suppressNearby, candidates ×${times}`, () => suppressNearby(some, { minDistance: 60 }).length);
}

function peaks(options: SlabsOptions): Promise<number> {
  return count(localMaxima(slabsOf(scores, options), { threshold }));
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const _ of items) found++;
  return found;
}
