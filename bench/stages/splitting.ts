// Splitting of touching components, at the threshold that 1 % of the voxels of a score map reach.
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
