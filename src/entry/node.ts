/**
 * What needs Node: projects, stores, volumes and models in files.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
export { formatModelSpec, type ParseModelSpecOptions, parseModelSpec } from '../inference/model-card.ts';
export { fileReader, openMrcFile, openTiffStackFile, writeMrcFile } from '../node/files.ts';
export { type LoadModelOptions, loadModel } from '../node/load-model.ts';
export { type OpenProjectOptions, openProject } from '../node/open-project.ts';
export { openStore } from '../node/files.ts';
export { type DirectoryStoreOptions, directoryStore } from '../node/directory-store.ts';
