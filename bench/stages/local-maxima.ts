// Local maxima over a threshold of a score map in memory, beside one plain sum over the same array.
import { localMaxima } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { floats, slabsOf, thresholds } from './files.ts';

const scores = floats('scores.f32');
const threshold = thresholds()['1']!;

await measure('plain sum', () => {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += scores[i]!;
  return sum;
});
await measure('localMaxima', async () => {
  let found = 0;
  for await (const _ of localMaxima(slabsOf(scores), { threshold })) found++;
  return found;
});
