// Times the search for a template, a rotation at a time, and the same search in scipy.fft and numpy.fft, on equal kernels, volume, mask and
// transform lengths; compares the scores.
//
//   npm run build
//   npx tsx --tsconfig bench/tsconfig.json bench/match-rotations.ts [--shape 92,315,315] [--rotations 16] [--mask ball] [--threads 2] [--python PYTHON]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeTemplate, matchTemplate, sourceFromArray } from 'cryoet-picks';
import { matchThreads } from 'cryoet-picks/node';
import { createRandom } from 'cryoet-picks/simulate';
import { atOnce } from '../src/core/concurrency.ts';
import { templateTurner } from '../src/match/correlate.ts';
import { transformShape } from '../src/match/fft.ts';
import { maskOf } from '../src/match/mask.ts';
import { evenRotations } from '../src/match/rotations.ts';
import { transformOf } from '../src/picks/rotation.ts';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '92,315,315' },
    rotations: { type: 'string', default: '16' },
    mask: { type: 'string', default: 'ball' },
    threads: { type: 'string', default: '2' },
    python: { type: 'string' },
  },
});
const shape = values.shape.split(',').map(Number) as [number, number, number];
const count = Number(values.rotations);

const random = createRandom(1);
const voxels = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => random.normal());
const tomogram = sourceFromArray({ data: voxels, shape }, { voxelSize: [20, 20, 20] });
// Lumps of different sizes, which no turn leaves alike.
const edge = 40;
const lumps = Array.from({ length: 12 }, () => [random.normal(), random.normal(), random.normal()] as const);
const map = Float32Array.from({ length: edge ** 3 }, (_, i) => {
  const at = [Math.floor(i / edge ** 2), Math.floor(i / edge) % edge, i % edge].map((n) => (n - 19.5) / 5);
  return lumps.reduce(
    (sum, [z, y, x]) => sum + Math.exp(-2 * ((at[0]! - z) ** 2 + (at[1]! - y) ** 2 + (at[2]! - x) ** 2)),
    0,
  );
});
const density = sourceFromArray({ data: map, shape: [edge, edge, edge] }, { voxelSize: [10, 10, 10] });
const template = await makeTemplate(density, { object: 'lumps', voxelSize: 20, radius: 140 });
const every = evenRotations({ angleStep: 20 });
const rotations = Array.from({ length: count }, (_, i) => every[Math.floor((i * every.length) / count)]!);
const weights = { shape: template.volume.shape, data: template.volume.data.map((value) => (value === 0 ? 0 : 1)) };
const mask = values.mask === 'ball' ? undefined : weights;
const threads = matchThreads({ threads: Number(values.threads) });
const wedge = { tiltRange: [-60, 60] } as const;

async function search(angles: typeof rotations): Promise<Float32Array> {
  const slabs = matchTemplate(tomogram, template, { angles: angles.map(transformOf), mask, wedge, threads });
  const scores = new Float32Array(voxels.length);
  for await (const slab of slabs)
    scores.set(slab.scores.data, slab.start * (slab.axis === 0 ? shape[1] * shape[2] : 0));
  return scores;
}

/** Seconds by the clock and of the processors. */
async function timed<T>(
  work: () => Promise<T>,
): Promise<{ readonly wall: number; readonly cpu: number; readonly result: T }> {
  const [start, used] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(used);
  return { wall: (performance.now() - start) / 1e3, cpu: (user + system) / 1e6, result };
}

await search(rotations.slice(0, 2));
// What a search takes beside its rotations is left out.
const few = await timed(() => search(rotations.slice(0, 2)));
const all = await timed(() => search(rotations));
const each = (of: 'wall' | 'cpu') => ((all[of] - few[of]) / (count - 2)).toFixed(3);
console.log(
  `cryoet-picks: ${each('wall')} s a rotation, ${each('cpu')} s of processors; preparation ${few.wall.toFixed(1)} s`,
);
console.log(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1e3)} MB`);

if (values.python !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'match-rotations-'));
  const { reach, mask: shapeOfMask } = maskOf(mask, template);
  const half = Math.ceil(reach / 20 - 1e-6);
  const { filterTable } = await import('../src/match/correlate.ts');
  const { transferOf } = await import('../src/match/match-template.ts');
  const filter = await filterTable({ half, voxelSize: 20 }, transferOf({ wedge }, undefined));
  const turn = await templateTurner({ template, mask: shapeOfMask, half, voxelSize: 20, filter });
  const side = (2 * half + 1) ** 3;
  const kernels = new Float32Array(count * side);
  const masks = new Float32Array(count * side);
  for (const [i, rotation] of rotations.entries()) {
    const turned = atOnce(turn(rotation));
    kernels.set(turned.kernel.data, i * side);
    masks.set(turned.mask.data, i * side);
  }
  const files = { volume: voxels, kernels, masks, scores: all.result };
  for (const [name, data] of Object.entries(files)) writeFileSync(join(folder, `${name}.f32`), data);
  const padded = transformShape([shape[0] + 2 * half, shape[1] + 2 * half, shape[2] + 2 * half]);
  writeFileSync(join(folder, 'how.json'), JSON.stringify({ shape, half, padded, count, turns: mask !== undefined }));
  const script = fileURLToPath(new URL('peers/match_rotations.py', import.meta.url));
  const { status } = spawnSync(values.python, [script, folder, '--workers', values.threads], { stdio: 'inherit' });
  rmSync(folder, { recursive: true });
  process.exitCode = status ?? 1;
}
