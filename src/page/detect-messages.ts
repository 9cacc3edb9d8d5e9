import type { Candidates, DetectableObject, ModelSpec, Progress, Warning } from '../entry/index.ts';
import type { DeviceChoice, LentStore, RuntimeModules } from '../entry/web.ts';
import type { VolumePlace } from './volume-place.ts';

/** What the worker is to search, and with what. */
export interface SearchStart {
  readonly place: VolumePlace<LentStore>;
  /** Which of the levels, from the finest. */
  readonly level: number;
  readonly tiles: 'low' | undefined;
  /** Addresses of the modules of onnxruntime-web. */
  readonly runtime: RuntimeModules;
  readonly network: ArrayBuffer;
  readonly spec: ModelSpec;
  readonly objects: readonly DetectableObject[];
}

/** What the worker sends: where it computes, how far it is, what looks wrong, and what came out. */
export type FromWorker =
  | { readonly type: 'device'; readonly choice: DeviceChoice }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'warning'; readonly warning: Warning }
  | { readonly type: 'found'; readonly candidates: Candidates; readonly sha256: string | undefined }
  | { readonly type: 'error'; readonly message: string };
