// Type-checked against the packed declarations: the ten-line program, every entry, and a runtime injected without a cast.

import {
  cziiRules,
  detectParticles,
  formatPicks,
  type ParticlePick,
  type PicksFormat,
  type Report,
  scorePicks,
  sourceFromArray,
  type VolumeSource,
} from 'cryoet-picks';
import { parseConfig } from 'cryoet-picks/copick';
import { renderFigure } from 'cryoet-picks/figure';
import { picksFormat, relion5Format } from 'cryoet-picks/formats';
import { encodeMrc, s3Store, zipStore } from 'cryoet-picks/io';
import { fromNdarray, toNdarray } from 'cryoet-picks/ndarray';
import { loadModel, openProject } from 'cryoet-picks/node';
import { openPortal } from 'cryoet-picks/portal';
import { simulateTomogram } from 'cryoet-picks/simulate';
import ndarray, { type NdArray } from 'ndarray';
import * as ort from 'onnxruntime-node';

export async function tenLines(): Promise<Report> {
  const project = await openProject('copick.json');
  const run = await project.run('TS_5_4');
  const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
  const model = await loadModel(ort);
  const picks: ParticlePick[] = await detectParticles(tomogram, { model, objects: project.objects });
  await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
  return scorePicks([{ run: run.name, truth: picks, picks }], cziiRules);
}

export const source: VolumeSource = sourceFromArray(ndarray(new Float32Array(8), [2, 2, 2]), {
  voxelSize: [10, 10, 10],
});
export const view: NdArray<Float32Array> = toNdarray(fromNdarray(ndarray(new Float32Array(8), [2, 2, 2])));
/** One value of each entry that the program above does not use. */
export const entries: readonly unknown[] = [encodeMrc, openPortal, parseConfig, renderFigure, s3Store, zipStore];
export const simulate: typeof simulateTomogram = simulateTomogram;
const relion: PicksFormat = relion5Format({ shape: [184, 630, 630], voxelSize: 10, object: 'ribosome' });
export const star: string = formatPicks([], { format: relion });
const named = picksFormat('imod');
export const bytes: Uint8Array | string = named.content === 'bytes' ? named.format([]) : named.format([]);
