// A whole volume read from Zarr: blosc-lz4 in three chunk shapes, and sharded zstd.
import { openTomogram } from 'cryoet-picks';
import { directoryStore } from 'cryoet-picks/node';
import { measure } from '../measure.ts';
import { dataPath } from './files.ts';

for (const name of ['lz4-64', 'lz4-128', 'lz4-256', 'sharded']) {
  const store = directoryStore(dataPath(`${name}.zarr`), { readOnly: true });
  await measure(`openTomogram ${name}`, async () => {
    const tomogram = await openTomogram(store);
    const [depth, height, width] = tomogram.grid.shape;
    const whole = await tomogram.read({ start: [0, 0, 0], end: [depth, height, width] });
    return whole.data[whole.data.length >> 1];
  });
}
