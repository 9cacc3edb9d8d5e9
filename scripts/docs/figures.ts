// Draws the diagrams of docs/ as SVG, from what the library computes. Run: npx tsx scripts/docs/figures.ts
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { planTiles, toPhysical, type VoxelGrid } from '../../src/entry/index.ts';
import { coarseGrid } from '../../src/space/grid.ts';

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const colors = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];

function svg(width: number, height: number, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="sans-serif" font-size="13">`;
  return `${head}\n<rect width="${width}" height="${height}" fill="#ffffff"/>\n${parts.join('\n')}\n</svg>\n`;
}

const text = (x: number, y: number, words: string, style = 'fill="#333"'): string =>
  `<text x="${x}" y="${y}" ${style}>${words}</text>`;

/** One row of cells with a dot at each centre, all at their true positions. */
function cells(grid: VoxelGrid, y: number, { color, scale }: { color: string; scale: number }): string[] {
  const edge = grid.voxelSize[2] * scale;
  return Array.from({ length: grid.shape[2] }, (_, i) => {
    const centre = 150 + toPhysical(grid, [0, 0, i]).x * scale;
    const box = `<rect x="${centre - edge / 2}" y="${y}" width="${edge}" height="34" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    const dot = `<circle cx="${centre}" cy="${y + 17}" r="3" fill="${color}"/>`;
    return `${box}${dot}${text(centre + 5, y + 13, String(i), `fill="${color}" font-size="11"`)}`;
  });
}

/** Voxels, the cells of coarser score maps, and where their centres lie. */
function coordinates(): string {
  const scale = 5.5;
  const grid: VoxelGrid = { shape: [1, 1, 8], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
  const rows = [1, 2, 4].flatMap((stride, row) => {
    const y = 20 + row * 56;
    const name = stride === 1 ? 'voxels' : `output stride ${stride}`;
    const one = { ...coarseGrid(grid, stride), shape: [1, 1, 8 / stride] as const };
    return [text(10, y + 22, name), ...cells(one, y, { color: colors[row]!, scale })];
  });
  const ticks = Array.from({ length: 8 }, (_, i) => text(150 + i * 10 * scale - 8, 206, String(i * 10)));
  return svg(600, 240, [
    ...rows,
    text(10, 206, 'position, Å'),
    ...ticks,
    text(
      10,
      228,
      'A dot is the position of its index: the centre of what it covers. Index 0 of the voxels lies at 0 Å.',
    ),
  ]);
}

/** Tiles along one axis, and the weights that sum to 1. */
function tiling(): string {
  const [length, tile, overlap] = [184, 64, 16];
  const plan = planTiles([length, tile, tile], { tile: [tile, tile, tile] }, { overlap: [overlap, 0, 0], axis: 0 });
  const scale = 2.8;
  const left = 60;
  const parts = plan.starts[0].flatMap((start, i) => {
    const color = colors[i % colors.length]!;
    const x = left + start * scale;
    const bar = `<rect x="${x}" y="${24 + i * 18}" width="${tile * scale}" height="13" fill="${color}" fill-opacity="0.35" stroke="${color}"/>`;
    const points = Array.from(plan.weights[0][i]!, (w, k) => `${x + (k + 0.5) * scale},${190 - w * 90}`).join(' ');
    return [
      bar,
      text(x + 4, 35 + i * 18, `${start} … ${start + tile - 1}`, 'fill="#222" font-size="11"'),
      `<polyline points="${points}" fill="none" stroke="${color}" stroke-width="2"/>`,
    ];
  });
  const axis = `<line x1="${left}" y1="190" x2="${left + length * scale}" y2="190" stroke="#333"/><line x1="${left}" y1="100" x2="${left + length * scale}" y2="100" stroke="#bbb" stroke-dasharray="3 4"/>`;
  const labels = [
    text(14, 18, `tiles of ${tile} voxels along an axis of ${length}, overlap at least ${overlap}`),
    text(36, 194, '0'),
    text(36, 104, '1'),
    text(14, 222, 'weights of each tile; at every voxel they sum to 1, so nothing is divided afterwards'),
  ];
  return svg(620, 236, [axis, ...parts, ...labels]);
}

writeFileSync(`${folder}coordinates.svg`, coordinates());
writeFileSync(`${folder}tiling.svg`, tiling());
