import type { DetectCandidatesOptions, VolumeSource } from '../entry/index.ts';
import { loadModel } from '../entry/web.ts';
import type { Report, SearchStart } from './detect-messages.ts';
import { borrowPlace, openPlace } from './volume-place.ts';

/** What a search in a worker works with. */
export interface OpenSearch extends Pick<DetectCandidatesOptions, 'memory' | 'onProgress' | 'onWarning'> {
  readonly source: VolumeSource;
  /** To be disposed. */
  readonly model: Awaited<ReturnType<typeof loadModel>>;
}

/** Opens the tomogram and the network of a search in a worker, which tells the page where it computes and how far it is. */
export async function openSearch(
  { place, level, tiles, runtime, network, spec }: Omit<SearchStart, 'objects'>,
  tell: (report: Report) => void,
): Promise<OpenSearch> {
  const sources = await openPlace(borrowPlace(place), new AbortController().signal);
  const model = await loadModel(runtime, network, { spec, onDevice: (choice) => tell({ type: 'device', choice }) });
  return {
    source: sources[level] as VolumeSource,
    model,
    memory: tiles,
    onProgress: (progress) => tell({ type: 'progress', progress }),
    onWarning: ({ code, message, share }) => tell({ type: 'warning', warning: { code, message, share } }),
  };
}
