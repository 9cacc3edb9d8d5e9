import { copyFile, link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { press, settled } from '../support/page-hands.ts';
import { drawingOf, placeIn, planeNames, viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';
import { tempDir } from '../support/temp-dir.ts';

const shape = [512, 1024, 1024] as const;
const chunk = [64, 128, 128] as const;

/** Dark and bright cubes of 16 voxels. */
const isDark = (z: number, y: number, x: number) => ((z >> 4) + (y >> 4) + (x >> 4)) % 2 === 0;

/** Writes a tomogram of half a billion voxels, in three levels, all of whose chunks are one file. */
async function writeLarge(folder: string): Promise<void> {
  const voxels = Uint8Array.from({ length: chunk[0] * chunk[1] * chunk[2] }, (_, i) => {
    const [z, y, x] = [Math.floor(i / chunk[1] / chunk[2]), Math.floor(i / chunk[2]) % chunk[1], i % chunk[2]];
    return (isDark(z, y, x) ? 50 : 200) + (i % 7);
  });
  await writeFile(join(folder, 'chunk'), deflateSync(voxels));
  const levels = [0, 1, 2];
  for (const level of levels) {
    const size = shape.map((length) => length >> level);
    await mkdir(join(folder, String(level)));
    await writeFile(
      join(folder, `${level}/.zarray`),
      JSON.stringify({
        zarr_format: 2,
        shape: size,
        chunks: chunk,
        dtype: '|u1',
        compressor: { id: 'zlib', level: 6 },
        fill_value: 0,
        order: 'C',
        filters: null,
        dimension_separator: '/',
      }),
    );
    for (let z = 0; z < size[0]! / chunk[0]; z++) {
      for (let y = 0; y < size[1]! / chunk[1]; y++) {
        await mkdir(join(folder, `${level}/${z}/${y}`), { recursive: true });
        for (let x = 0; x < size[2]! / chunk[2]; x++) {
          const path = join(folder, `${level}/${z}/${y}/${x}`);
          await link(join(folder, 'chunk'), path).catch(() => copyFile(join(folder, 'chunk'), path));
        }
      }
    }
  }
  await writeFile(join(folder, '.zgroup'), JSON.stringify({ zarr_format: 2 }));
  const datasets = levels.map((level) => ({
    path: String(level),
    coordinateTransformations: [{ type: 'scale', scale: [1, 1, 1].map(() => 10 * 2 ** level) }],
  }));
  const axes = ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'angstrom' }));
  await writeFile(join(folder, '.zattrs'), JSON.stringify({ multiscales: [{ version: '0.4', axes, datasets }] }));
}

describePage('a large tomogram in the page of view', ({ open }) => {
  it('of 512 × 1024 × 1024 voxels opens, and shows its finest voxels wherever one looks, without reading all of them', async () => {
    const folder = await tempDir();
    await writeLarge(folder);
    const volume = { name: 'large.zarr', format: 'ome-zarr' as const, store: './data/0', key: '/' };
    const { tab, problems } = await open({
      session: { open: { kind: 'volumes', volumes: [volume] } },
      folders: { 0: folder },
      fragment: '#at=5000,5000,2500&center=5000,5000,2500&zoom=0.3',
    });
    const asked = new Set<string>();
    tab.on('request', (request) => asked.add(request.url()));
    await settled(tab);
    await tab.keyboard.press('r');
    for (const where of ['there', 'ten slices on']) {
      if (where !== 'there') await press(tab, 'PageDown');
      await expect
        .poll(
          async () => {
            const view = viewOf(tab);
            const wrong: string[] = [];
            for (const plane of planeNames) {
              const drawing = await drawingOf(tab, plane);
              const place = placeIn(plane, view, drawing);
              const across = { xy: 2, xz: 1, zy: 0 }[plane];
              for (let i = 0; i < 300; i++) {
                const voxel = [484 + ((11 * i) % 37), 484 + ((7 * i) % 41), 236 + ((5 * i) % 29)];
                voxel[across] = Math.round(view.at[across]! / 10);
                const [x, y, z] = voxel as [number, number, number];
                // In the middle of a cube, away from the cross-hair.
                if ([x, y, z].some((index, axis) => axis !== across && ((index & 15) < 4 || (index & 15) > 11)))
                  continue;
                const { left, top } = place([10 * x, 10 * y, 10 * z]);
                const cross = place(view.at);
                if (Math.abs(left - cross.left) < 3 || Math.abs(top - cross.top) < 3) continue;
                if (left < 1 || top < 1 || left > drawing.width - 2 || top > drawing.height - 2) continue;
                const [grey] = drawing.colorAt(Math.floor(left), Math.floor(top));
                if (grey < 128 !== isDark(z, y, x)) wrong.push(`${plane} ${x} ${y} ${z}: ${grey}`);
              }
            }
            return wrong;
          },
          { timeout: 60_000, interval: 500 },
        )
        .toEqual([]);
    }
    expect([...asked].filter((url) => /\/0\/\d+\/\d+\/\d+$/.test(url)).length).toBeLessThan(400);
    expect(problems).toEqual([]);
  }, 120_000);
});
