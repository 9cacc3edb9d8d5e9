/**
 * What needs a browser: stores of folders that a person chose, of files that were dropped, and of the server that
 * `cryoet-picks view` runs.
 *
 * @module cryoet-picks/web
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Stores
export { fileListStore, type HandleStoreOptions, handleStore } from '../web/files.ts';
export { borrowedStore, type LendStoreOptions, type LentStore, lendStore } from '../web/lent-store.ts';
export { type ServedStoreOptions, servedStore } from '../storage/served.ts';

// Models
export type { DeviceChoice, DeviceTrial } from '../web/device-choice.ts';
export { type LoadModelOptions, loadModel, type RuntimeModules } from '../web/load-model.ts';

// The page of `cryoet-picks view`
export type {
  OpenedArchive,
  OpenedProject,
  OpenedVolume,
  OpenedVolumes,
  ViewRuntime,
  ViewSession,
} from '../web/session.ts';
