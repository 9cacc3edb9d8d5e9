import { detectCandidates } from '../entry/index.ts';
import type { FromWorker, SearchStart } from './detect-messages.ts';
import { openSearch } from './worker-search.ts';

/** Searches a tomogram away from the page, which only passes on the bytes of its store. The page ends this worker to cancel. */

const tell = (message: FromWorker) => postMessage(message);

addEventListener('message', ({ data: start }: MessageEvent<SearchStart>) => {
  search(start).catch((error) =>
    tell({ type: 'error', message: error instanceof Error ? error.message : String(error) }),
  );
});

async function search({ objects, ...start }: SearchStart): Promise<void> {
  const { source, model, ...options } = await openSearch(start, tell);
  try {
    const candidates = await detectCandidates(source, { model, objects, ...options });
    tell({ type: 'found', candidates, sha256: model.sha256 });
  } finally {
    await model.dispose();
  }
}
