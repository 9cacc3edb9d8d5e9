// Mean, deviation, range and quantiles of a tomogram in memory.
import { measureIntensity, quantile, sourceFromArray } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { floats, SHAPE } from './files.ts';

const [depth, height, width] = SHAPE;
const voxels = { data: floats('tomogram.f32'), shape: SHAPE, stride: [height * width, width, 1], offset: 0 };
const source = sourceFromArray(voxels, { voxelSize: [10, 10, 10] });

await measure('measureIntensity', async () => {
  const intensity = await measureIntensity(source);
  const ends = [quantile(intensity, 0.01), quantile(intensity, 0.99)];
  return [intensity.count / depth / height / width, intensity.mean, intensity.standardDeviation, ...ends];
});
