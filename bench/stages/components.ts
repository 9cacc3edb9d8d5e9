// Connected components, 26 neighbours, with statistics, of a score map at three thresholds.
import { connectedComponents } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { floats, slabsOf, thresholds } from './files.ts';

const scores = floats('scores.f32');

for (const [part, threshold] of Object.entries(thresholds())) {
  await measure(`connectedComponents ${part} %`, async () => {
    let found = 0;
    let voxels = 0;
    for await (const component of connectedComponents(slabsOf(scores), { threshold })) {
      found++;
      voxels += component.voxels;
    }
    return [found, voxels];
  });
}
