// Type-checked against the packed declarations: the ten-line program, and a runtime injected without a cast.

import {
  competition,
  detectParticles,
  formatPicks,
  type Pick,
  type PicksFormat,
  type Report,
  scorePicks,
  sourceFromArray,
} from 'cryoet-picks';
import { formatNamed, relion5Format } from 'cryoet-picks/formats';
import { fromNdarray, toNdarray } from 'cryoet-picks/ndarray';
import { loadModel, openProject } from 'cryoet-picks/node';
import { simulateTomogram } from 'cryoet-picks/simulate';
import ndarray from 'ndarray';
import * as ort from 'onnxruntime-node';

export async function tenLines(): Promise<Report> {
  const project = await openProject('copick.json');
  const run = await project.run('TS_5_4');
  const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
  const model = await loadModel(ort);
  const picks: Pick[] = await detectParticles(tomogram, { model, objects: project.objects });
  await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
  return scorePicks([{ run: run.name, truth: picks, picks }], competition);
}

export const source = sourceFromArray(ndarray(new Float32Array(8), [2, 2, 2]), { voxelSize: [10, 10, 10] });
export const view = toNdarray(fromNdarray(ndarray(new Float32Array(8), [2, 2, 2])));
export const simulate: typeof simulateTomogram = simulateTomogram;
const relion: PicksFormat = relion5Format({ shape: [184, 630, 630], voxelSize: 10, object: 'ribosome' });
export const star: string = formatPicks([], { format: relion });
const named = formatNamed('imod');
export const bytes: Uint8Array | string = named.content === 'bytes' ? named.format([]) : named.format([]);
