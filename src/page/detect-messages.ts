import type { Candidates, DetectableObject, ModelSpec, Progress, Warning } from '../entry/index.ts';
import type { DeviceChoice, LentStore, RuntimeModules } from '../entry/web.ts';
import type { TeachRequest, TeachResult } from './lesson.ts';
import type { VolumePlace } from './volume-place.ts';

/** What a worker is to search, and with what. */
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

/** What a worker sends while it works: where it computes, how far it is, and what looks wrong. */
export type Report =
  | { readonly type: 'device'; readonly choice: DeviceChoice }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'warning'; readonly warning: Warning };

/** What a worker sends that searches: in the end what came out, or why it failed. */
export type FromWorker =
  | Report
  | { readonly type: 'found'; readonly candidates: Candidates; readonly sha256: string | undefined }
  | Failure;

/** Why a worker failed. */
export interface Failure {
  readonly type: 'error';
  readonly message: string;
}

/** What a worker is to compute features of, and what it is then to learn from them, as often as it is asked. */
export type ToTeachWorker =
  | { readonly type: 'features'; readonly start: Omit<SearchStart, 'objects'>; readonly run: string }
  | { readonly type: 'teach'; readonly id: number; readonly request: TeachRequest };

/** What a worker sends that learns: that it has the features, and of each request what came out. */
export type FromTeachWorker =
  | Report
  | { readonly type: 'ready'; readonly sha256: string | undefined }
  | { readonly type: 'view'; readonly id: number; readonly candidates: Candidates; readonly spec: ModelSpec }
  | { readonly type: 'learned'; readonly id: number; readonly result: TeachResult }
  | (Failure & { readonly id?: number | undefined });
