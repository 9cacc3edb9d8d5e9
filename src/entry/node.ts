/**
 * What needs Node: projects, stores, volumes and models in files.
 *
 * @module cryoet-picks/node
 */

// Errors
export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';

// Projects and stores
export { type DirectoryStoreOptions, directoryStore } from '../node/directory-store.ts';
export { type OpenProjectOptions, openProject } from '../node/open-project.ts';

// Sharing the runs of a project
export { type OverlayClaimsOptions, overlayClaims } from '../node/overlay-claims.ts';

// Files
export { fileReader, openMrcFile, openStore, openTiffStackFile, writeMrcFile } from '../node/files.ts';

// Threads that match templates
export { type MatchThreadsOptions, matchThreads } from '../node/match-threads.ts';

// Models
export { type LoadModelOptions, loadModel } from '../node/load-model.ts';
