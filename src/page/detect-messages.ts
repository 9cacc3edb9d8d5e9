import type { Box, Candidates, ModelSpec, Progress, VoxelGrid, Zyx } from '../entry/index.ts';

/** What the worker is to search, and with what. */
export interface SearchStart {
  readonly type: 'start';
  readonly grid: VoxelGrid;
  readonly chunkShape: Zyx | undefined;
  /** Addresses of the module of onnxruntime-web and of the model's worker. */
  readonly runtime: string;
  readonly script: string;
  readonly network: ArrayBuffer;
  readonly spec: ModelSpec;
  readonly objects: readonly { readonly name: string; readonly radius: number }[];
}

/** What the page sends: the start, and voxels that were asked for. */
export type ToWorker =
  | SearchStart
  | { readonly type: 'voxels'; readonly id: number; readonly data: Float32Array; readonly shape: Zyx }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

/** What the worker sends: boxes that it needs, how far it is, and what came out. */
export type FromWorker =
  | { readonly type: 'read'; readonly id: number; readonly box: Box }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'found'; readonly candidates: Candidates }
  | { readonly type: 'error'; readonly message: string };
