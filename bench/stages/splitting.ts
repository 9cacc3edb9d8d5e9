// Splitting of blobs that touch, at the threshold that leaves 1 % of a score map.
import { splitTouching } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { floats, slabsOf, thresholds } from './files.ts';

const scores = floats('scores.f32');
const threshold = thresholds()['1']!;

await measure('splitTouching 1 %', async () => {
  let found = 0;
  for await (const _ of splitTouching(slabsOf(scores), { threshold, minDistance: 45 })) found++;
  return found;
});
