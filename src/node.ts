/**
 * What needs Node: projects, stores and models in files.
 *
 * @module
 */

export { formatModelSpec, type ParseModelSpecOptions, parseModelSpec } from './inference/model-card.ts';
export { type LoadModelOptions, loadModel } from './node-model.ts';
export { type OpenProjectOptions, openProject } from './node-project.ts';
export { type DirectoryStoreOptions, directoryStore } from './storage/directory.ts';
