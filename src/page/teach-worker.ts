import { computeFeatures } from '../entry/index.ts';
import type { FromTeachWorker, SearchStart, ToTeachWorker } from './detect-messages.ts';
import { type Classroom, learnObjects, type TeachRequest } from './lesson.ts';
import { openSearch } from './worker-search.ts';

/**
 * Computes the features of a tomogram once, keeps them, and learns from them what the page asks for, again and again. The page ends
 * this worker to cancel, and when it needs the features no more.
 */

const tell = (message: FromTeachWorker) => postMessage(message);

let classroom: Classroom | undefined;

addEventListener('message', ({ data: message }: MessageEvent<ToTeachWorker>) => {
  if (message.type === 'features') {
    prepare(message.start, message.run).catch((error) => tell({ type: 'error', message: reasonOf(error) }));
  } else {
    const { id, request } = message;
    learn(id, request).catch((error) => tell({ type: 'error', id, message: reasonOf(error) }));
  }
});

async function prepare(start: Omit<SearchStart, 'objects'>, run: string): Promise<void> {
  const { source, model, ...options } = await openSearch(start, tell);
  try {
    const features = await computeFeatures(source, { model, run, ...options });
    classroom = { features, grid: source.grid, network: new Uint8Array(start.network) };
    tell({ type: 'ready', sha256: model.sha256 });
  } finally {
    await model.dispose();
  }
}

async function learn(id: number, request: TeachRequest): Promise<void> {
  if (classroom === undefined) throw new Error('There are no features to learn from yet.');
  const result = await learnObjects(classroom, request, (candidates, spec) =>
    tell({ type: 'view', id, candidates, spec }),
  );
  tell({ type: 'learned', id, result });
}

/** Browsers throw a RangeError where memory cannot be had. */
function reasonOf(error: unknown): string {
  if (error instanceof RangeError) {
    return `There is not enough memory for the features of this tomogram (${error.message}): close other tabs and programs, or teach with a program, as the guide "Teach a particle" shows.`;
  }
  return error instanceof Error ? error.message : String(error);
}
