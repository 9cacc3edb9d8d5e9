import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sourceFromArray, type VolumeSource, writeTomogram, type Zyx } from 'cryoet-picks';
import { directoryStore } from 'cryoet-picks/node';

/** A project of two simulated runs of 184×630×630 voxels, made by the built command line unless it is there. Returns its config. */
export function simulatedProject(folder: string, cli: string): string {
  const project = join(folder, 'project');
  const config = join(project, 'copick.json');
  if (!existsSync(config)) {
    const options = ['--runs', '2', '--seed', '1', '--shape', '184,630,630'];
    execFileSync(process.execPath, [cli, 'simulate', project, ...options], { stdio: 'inherit' });
  }
  return config;
}

/** A volume of 512×1024×1024 voxels of noise in 8 bits, with two coarser levels, written unless it is there: 600 MB. */
export async function largeVolume(folder: string): Promise<string> {
  const image = join(folder, 'large.zarr');
  if (existsSync(join(image, '.zattrs'))) return image;
  mkdirSync(image, { recursive: true });
  await writeTomogram(directoryStore(image), noise([512, 1024, 1024]), { dtype: 'int8', levels: 3, coarse: 'mean' });
  return image;
}

/** Whole numbers from −100 to 100 that look random, made when they are read. */
function noise(shape: Zyx): VolumeSource {
  const voxelSize: Zyx = [10, 10, 10];
  const empty = sourceFromArray({ data: new Float32Array(1), shape: [1, 1, 1] }, { voxelSize });
  return {
    ...empty,
    grid: { ...empty.grid, shape },
    async read({ start, end }) {
      const box: Zyx = [end[0] - start[0], end[1] - start[1], end[2] - start[2]];
      const data = new Float32Array(box[0] * box[1] * box[2]);
      let state = (start[0] * 1024 + start[1]) * 1024 + start[2] + 1;
      for (let i = 0; i < data.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        data[i] = (state >> 16) % 101;
      }
      return { data, shape: box, stride: [box[1] * box[2], box[2], 1], offset: 0 };
    },
  };
}
