import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '../fuzz/random.ts';
import { noise } from '../volumes.ts';
import { broken, type Kind, odd, shape, writeSoakTomogram } from './kinds.ts';

/** How large the project is. */
export interface SoakProjectOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly tomograms: number;
  /** How many of them cannot be searched. */
  readonly broken: number;
  readonly seed: number;
}

/** A run of the project, and what is wrong with it. */
export interface SoakRun {
  readonly name: string;
  readonly kind?: Kind | undefined;
  /** Where particles are, in Å, as `z,y,x`; sorted. */
  readonly planted: readonly string[];
}

/** The particles that are planted. */
export const objects = ['ribosome', 'virus-like-particle'] as const;
const card = {
  name: 'soak',
  tile: [32, 64, 64],
  outputStride: 2,
  voxelSize: 10,
  classes: objects,
  activation: 'none',
  normalization: 'z-score',
  thresholds: { ribosome: 5, 'virus-like-particle': 11 },
  minDistances: { ribosome: 80, 'virus-like-particle': 80 },
};

/** A project on disk. */
export interface SoakProject {
  readonly runs: readonly SoakRun[];
  /** Paths of the config and of the network, which averages cells of 2³ voxels and finds what was planted, and nothing else. */
  readonly config: string;
  readonly model: string;
}

/** Writes a project of many small tomograms, some of them broken. */
export async function writeSoakProject(options: SoakProjectOptions): Promise<SoakProject> {
  const runs = planRuns(options);
  const [config, model] = await writeProject(options.folder, runs, options.seed);
  return { runs, config, model };
}

/** Chooses which runs are broken, which odd, and where particles are. */
function planRuns({ tomograms, broken: count, seed }: SoakProjectOptions): SoakRun[] {
  const random = new Random(seed, 'runs');
  const places = Array.from({ length: tomograms }, (_, index) => index);
  for (let i = places.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [places[i], places[j]] = [places[j]!, places[i]!];
  }
  const first = count >= broken.length ? 0 : random.below(broken.length);
  const kinds = Array.from({ length: count }, (_, i) => broken[(first + i) % broken.length]!);
  const kindAt = new Map([...kinds, ...odd].map((kind, i) => [places[i]!, kind]));
  return Array.from({ length: tomograms }, (_, index) => ({
    name: `TS_${String(index + 1).padStart(4, '0')}`,
    kind: kindAt.get(index),
    planted: plant(random),
  }));
}

/** In two of five cells of 16³ voxels a particle of 2³, on even voxels, at least 100 Å from every other one. */
function plant(random: Random): string[] {
  const planted: string[] = [];
  for (let z = 0; z < shape[0]; z += 16)
    for (let y = 0; y < shape[1]; y += 16)
      for (let x = 0; x < shape[2]; x += 16)
        if (random.chance(0.4)) {
          const centre = [z, y, x].map((start) => (start + 4 + 2 * random.below(4)) * 10 + 5);
          planted.push(centre.join());
        }
  return planted.sort();
}

async function writeProject(folder: string, runs: readonly SoakRun[], seed: number): Promise<[string, string]> {
  for (const [index, { name, kind, planted }] of runs.entries()) {
    const data = noise(shape, seed * 1000 + index);
    for (const centre of planted) {
      const [z, y, x] = centre.split(',').map((length) => (Number(length) - 5) / 10) as [number, number, number];
      for (const corner of [0, 1, 2, 3, 4, 5, 6, 7])
        data[((z + (corner >> 2)) * shape[1] + y + ((corner >> 1) & 1)) * shape[2] + x + (corner & 1)] = 20;
    }
    const tomogram = join(folder, 'static', 'ExperimentRuns', name, 'VoxelSpacing10.000', 'denoised.zarr');
    await writeSoakTomogram(tomogram, data);
    await kind?.tomogram?.(tomogram);
  }
  const config = join(folder, 'copick.json');
  const pickable = objects.map((name, i) => ({ name, is_particle: true, label: i + 1, radius: 100 }));
  const roots = { static_root: join(folder, 'static'), overlay_root: join(folder, 'overlay') };
  await writeFile(
    config,
    JSON.stringify({
      config_type: 'filesystem',
      name: 'soak',
      user_id: 'me',
      session_id: '1',
      pickable_objects: pickable,
      ...roots,
    }),
  );
  const network = fileURLToPath(new URL('../../fixtures/onnx/two-classes-stride-two.onnx', import.meta.url));
  await copyFile(network, join(folder, 'soak.onnx'));
  await writeFile(join(folder, 'soak.json'), JSON.stringify(card));
  return [config, join(folder, 'soak.onnx')];
}

/** Puts what is odd about runs into an overlay that is not there yet. */
export async function writeOverlay(folder: string, runs: readonly SoakRun[]): Promise<void> {
  await mkdir(join(folder, 'ExperimentRuns'), { recursive: true });
  for (const { name, kind } of runs) await kind?.overlay?.(join(folder, 'ExperimentRuns', name));
}
