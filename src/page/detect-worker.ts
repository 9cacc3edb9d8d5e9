import { detectCandidates, type VolumeSource } from '../entry/index.ts';
import { loadModel } from '../entry/web.ts';
import type { FromWorker, SearchStart } from './detect-messages.ts';
import { borrowPlace, openPlace } from './volume-place.ts';

/** Searches a tomogram away from the page, which only passes on the bytes of its store. The page ends this worker to cancel. */

const tell = (message: FromWorker) => postMessage(message);

addEventListener('message', ({ data: start }: MessageEvent<SearchStart>) => {
  search(start).catch((error) =>
    tell({ type: 'error', message: error instanceof Error ? error.message : String(error) }),
  );
});

async function search({ place, level, tiles, runtime, network, spec, objects }: SearchStart): Promise<void> {
  const sources = await openPlace(borrowPlace(place), new AbortController().signal);
  const model = await loadModel(runtime, network, { spec, onDevice: (choice) => tell({ type: 'device', choice }) });
  try {
    const candidates = await detectCandidates(sources[level] as VolumeSource, {
      model,
      objects,
      memory: tiles,
      onProgress: (progress) => tell({ type: 'progress', progress }),
      onWarning: ({ code, message, share }) => tell({ type: 'warning', warning: { code, message, share } }),
    });
    tell({ type: 'found', candidates, sha256: model.sha256 });
  } finally {
    await model.dispose();
  }
}
