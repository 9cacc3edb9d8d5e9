/**
 * What needs Node: projects, stores, volumes and models in files.
 *
 * @module
 */

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from './errors.ts';
export { formatModelSpec, type ParseModelSpecOptions, parseModelSpec } from './inference/model-card.ts';
export { fileReader, openMrcFile, openTiffStackFile, writeMrcFile } from './node-files.ts';
export { type LoadModelOptions, loadModel } from './node-model.ts';
export { type OpenProjectOptions, openProject } from './node-project.ts';
export { openStore } from './node-store.ts';
export { type DirectoryStoreOptions, directoryStore } from './storage/directory.ts';
