/**
 * Simulates scenes for fit.py: NAME.npy (float32, [z, y, x]) and NAME.json ([[object, x, y, z], …], Å).
 *
 *     npx tsx training/radial/dump-scenes.ts DIR FIRST_SEED LAST_SEED [Z,Y,X] [DENSITY]
 *
 * DENSITY multiplies the usual number of each of the six particles.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Zyx } from '../../src/entry/index.ts';
import { difficulties, simulateTomogram } from '../../src/entry/simulate.ts';

const perVoxel = {
  'apo-ferritin': 375,
  'beta-amylase': 87,
  'beta-galactosidase': 112,
  ribosome: 331,
  thyroglobulin: 251,
  'virus-like-particle': 113,
};

/** An .npy file, version 1.0, of little-endian float32 in C-order. */
function npy(data: Float32Array, shape: readonly number[]): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = `${text.padEnd(117)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + header.length);
  return bytes;
}

const [folder, first, last, shapeText = '184,496,496', density = '1'] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected a folder, a first and a last seed');
const shape = shapeText.split(',').map(Number) as unknown as Zyx;
const share = ((shape[0] * shape[1] * shape[2]) / (184 * 630 * 630 * 7)) * Number(density);
const counts = Object.fromEntries(Object.entries(perVoxel).map(([name, count]) => [name, Math.round(count * share)]));
await mkdir(folder, { recursive: true });
for (let seed = Number(first); seed <= Number(last); seed++) {
  const { volume, picks } = await simulateTomogram({ ...difficulties.clean, shape, seed, counts });
  const name = join(folder, `scene-${seed}`);
  await writeFile(`${name}.npy`, npy(volume.data as Float32Array, shape));
  const rows = picks.map(({ object, position: { x, y, z } }) => [object, x, y, z]);
  await writeFile(`${name}.json`, JSON.stringify(rows));
}
await writeFile(
  join(folder, 'SOURCE.txt'),
  `simulateTomogram, ${shapeText} voxels, seeds ${first} to ${last}, density ${density}`,
);
