import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { type Project, parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import {
  detectParticles,
  type ParticlePick,
  type Point,
  sourceFromArray,
  type VoxelGrid,
  writeTomogram,
} from '../../src/entry/index.ts';
import { directoryStore, loadModel } from '../../src/entry/node.ts';
import type { Shown } from './served-page.ts';
import { smallProject } from './simulated-project.ts';
import { tempDir } from './temp-dir.ts';
import { noise } from './volumes.ts';

/** The objects of a project, unless a test has its own. */
export const twoObjects: readonly object[] = [
  { name: 'ribosome', is_particle: true, label: 1, color: [86, 180, 233, 255], radius: 150 },
  { name: 'apo-ferritin', is_particle: true, label: 2, color: [230, 159, 0, 255], radius: 60 },
];

/** Cubes of 10 Å, the first at zero. */
export const isotropic: VoxelGrid = { shape: [40, 100, 120], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };

/** Voxels of three lengths, somewhere in space. */
export const anisotropic: VoxelGrid = {
  shape: [20, 160, 60],
  voxelSize: [20, 8, 20],
  origin: { x: -300, y: 55, z: 1000 },
};

/** Picks inside a grid that look random, of both objects. */
export function picksIn({ shape, voxelSize, origin }: VoxelGrid, count: number, seed: number): ParticlePick[] {
  const random = noise([count, 1, 5], seed).map((value) => (value + 1) / 2);
  return Array.from({ length: count }, (_, i) => ({
    object: random[5 * i]! < 0.5 ? 'ribosome' : 'apo-ferritin',
    position: {
      x: origin.x + random[5 * i + 1]! * shape[2] * voxelSize[2],
      y: origin.y + random[5 * i + 2]! * shape[1] * voxelSize[1],
      z: origin.z + random[5 * i + 3]! * shape[0] * voxelSize[0],
    },
    score: random[5 * i + 4]!,
  }));
}

/** Picks of ribosomes alone. */
export function ribosomesIn(grid: VoxelGrid, count: number, seed: number): ParticlePick[] {
  return picksIn(grid, count, seed).map((pick) => ({ ...pick, object: 'ribosome' }));
}

/** What a project holds. */
export interface ProjectOptions {
  readonly grid?: VoxelGrid;
  readonly format?: 'zarr2' | 'zarr3';
  readonly runs?: readonly string[];
  /** In each run, as the picks of a network. */
  readonly picks?: readonly ParticlePick[];
  /** In each run, as those of a curator. */
  readonly truth?: readonly ParticlePick[];
  readonly objects?: readonly object[];
  /** Where the tomogram is dark: darkest there, as grey as elsewhere from 150 Å on. */
  readonly dark?: readonly Point[];
}

/** A project on disk, and how the page is shown it. */
export interface TestProject {
  readonly overlay: string;
  readonly project: Project;
  readonly shown: Shown & { readonly session: { readonly open: { readonly kind: 'project' } } };
}

/** Makes a project whose tomograms are even grey, but for a little noise, so that colour comes from rings alone. */
export async function makeProject(options: ProjectOptions = {}): Promise<TestProject> {
  const { grid = isotropic, format = 'zarr2', runs = ['TS_1'], objects = twoObjects } = options;
  const { picks = [], truth = [], dark = [] } = options;
  const overlay = await tempDir();
  const config = { config_type: 'filesystem', overlay_root: 'overlay', pickable_objects: objects };
  const project = projectFromStores({
    config: parseConfig(JSON.stringify(config), { source: 'test' }),
    overlay: directoryStore(overlay),
  });
  const data = noise(grid.shape).map((value) => 100 + 0.01 * value);
  if (dark.length > 0) darken(data, grid, dark);
  for (const name of runs) {
    const image = join(overlay, `ExperimentRuns/${name}/VoxelSpacing10.000/denoised.zarr`);
    await mkdir(image, { recursive: true });
    const { voxelSize, origin } = grid;
    const source = sourceFromArray({ data, shape: [...grid.shape] }, { voxelSize, origin });
    await writeTomogram(directoryStore(image), source, { levels: 2, format });
    const run = await project.run(name);
    if (picks.length > 0) await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
    if (truth.length > 0) await run.writePicks(truth, { userId: 'curation', sessionId: '0' });
  }
  const open = { kind: 'project' as const, config, overlay: './data/overlay' };
  return { overlay, project, shown: { session: { open }, folders: { overlay } } };
}

function darken(data: Float32Array, { shape, voxelSize, origin }: VoxelGrid, places: readonly Point[]): void {
  for (let i = 0; i < data.length; i++) {
    const [z, y, x] = [Math.floor(i / shape[2] / shape[1]), Math.floor(i / shape[2]) % shape[1], i % shape[2]];
    for (const place of places) {
      const away = Math.hypot(
        origin.z + z * voxelSize[0] - place.z,
        origin.y + y * voxelSize[1] - place.y,
        origin.x + x * voxelSize[2] - place.x,
      );
      data[i]! -= 50 * Math.max(0, 1 - away / 150);
    }
  }
}

/** Simulates a small project of one run; gives its folder, and how the page is shown it. */
export async function simulatedProject(): Promise<{ readonly folder: string; readonly shown: Shown }> {
  const folder = await tempDir();
  const config = JSON.parse(await readFile(await smallProject(folder, { runs: 1 }), 'utf8'));
  const open = { kind: 'project' as const, config, overlay: './data/overlay', static: './data/static' };
  const folders = { overlay: join(folder, config.overlay_root), static: join(folder, config.static_root) };
  return { folder, shown: { session: { open }, folders } };
}

/** The picks that Node finds in the first run of a project. */
export async function picksOfNode(project: Project): Promise<ParticlePick[]> {
  const [run] = await project.runs();
  const tomogram = await run!.tomogram('denoised');
  const model = await loadModel(ort);
  try {
    return await detectParticles(tomogram, { model, objects: project.objects });
  } finally {
    await model.dispose();
  }
}
