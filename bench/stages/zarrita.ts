// The same volumes read by zarrita with its own codecs: this process never loads this library, which would replace them.
// `@zarrita/storage` is a dependency of zarrita.
import FileSystemStore from '@zarrita/storage/fs';
import * as zarr from 'zarrita';
import { measure } from '../measure.ts';

for (const name of ['lz4-64', 'lz4-128', 'lz4-256', 'sharded']) {
  const store = new FileSystemStore(new URL(`../data/${name}.zarr`, import.meta.url).pathname);
  await measure(`zarrita ${name}`, async () => {
    const array = await zarr.open(zarr.root(store).resolve('0'), { kind: 'array' });
    const { data } = await zarr.get(array as zarr.Array<'float32'>);
    return data[data.length >> 1];
  });
}
