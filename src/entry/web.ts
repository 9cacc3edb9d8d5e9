/**
 * What needs a browser: stores of folders that a person chose, of files that were dropped, and of the server that
 * `cryoet-picks view` runs.
 *
 * @module
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Stores
export { fileListStore, type HandleStoreOptions, handleStore } from '../web/files.ts';
export { type ServedStoreOptions, servedStore } from '../storage/served.ts';

// Models
export { type LoadModelOptions, loadModel } from '../web/load-model.ts';

// The page of `cryoet-picks view`
export type { OpenedProject, OpenedVolume, OpenedVolumes, ViewRuntime, ViewSession } from '../web/session.ts';
