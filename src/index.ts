/**
 * Finds protein particles in cryo-electron tomograms. The ten-line program:
 *
 * ```ts
 * import * as ort from 'onnxruntime-node';
 * import { detectParticles } from 'cryoet-picks';
 * import { loadModel, openProject } from 'cryoet-picks/node';
 *
 * const project = await openProject('copick.json');
 * const run = await project.run('TS_5_4');
 * const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
 * const model = await loadModel(ort);
 * const picks = await detectParticles(tomogram, { model, objects: project.objects });
 * await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
 * ```
 *
 * @module
 */

// Errors and progress
export type { Progress } from './async.ts';
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from './errors.ts';
