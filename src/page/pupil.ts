import type { Candidates, ModelSpec } from '../entry/index.ts';
import { type SearchOptions, startWorker } from './detect.ts';
import type { FromTeachWorker, ToTeachWorker } from './detect-messages.ts';
import type { TeachRequest, TeachResult } from './lesson.ts';
import type { VolumePlace } from './volume-place.ts';

/** A worker with the features of a tomogram, which learns from them. */
export interface Pupil {
  /** The card of the network whose features they are, and the SHA-256 of its file. */
  readonly spec: ModelSpec;
  readonly sha256: string | undefined;
  /**
   * Learns, and finds candidates; `onView` gets those of the view first. One request at a time.
   *
   * @throws The abort reason of `signal`, at once; what learning throws, with its message.
   */
  learn(request: TeachRequest, options: LearnOptions): Promise<TeachResult>;
  /** Frees the memory. */
  end(): void;
}

/** Options of `learn`. */
export interface LearnOptions {
  readonly signal: AbortSignal;
  readonly onView: (candidates: Candidates, spec: ModelSpec) => void;
}

/** Options of {@link openPupil}. */
export interface OpenPupilOptions extends Omit<SearchOptions, 'objects'> {
  /** The run that the tomogram is of. */
  readonly run: string;
}

/**
 * Computes the features of a tomogram in a worker, as long as a search takes.
 *
 * @throws The abort reason of `signal`, at once; what computing throws, with its message.
 */
export async function openPupil(place: VolumePlace, { run, ...options }: OpenPupilOptions): Promise<Pupil> {
  const { worker, answer, end } = startWorker<Extract<FromTeachWorker, { readonly type: 'ready' }>>(
    './teach-worker.js',
    place,
    options,
    (start): ToTeachWorker => ({ type: 'features', start, run }),
  );
  let sha256: string | undefined;
  try {
    ({ sha256 } = await answer);
  } catch (error) {
    end();
    throw error;
  }
  let last = 0;
  return {
    spec: options.network.spec,
    sha256,
    learn(request, { signal, onView }) {
      const id = ++last;
      const heard = new AbortController();
      const answered = new Promise<TeachResult>((resolve, reject) => {
        const listening = { signal: heard.signal };
        signal.addEventListener('abort', () => reject(signal.reason), listening);
        worker.addEventListener('error', ({ message }) => reject(new Error(message || 'Learning failed.')), listening);
        worker.addEventListener(
          'message',
          ({ data: message }: MessageEvent<FromTeachWorker>) => {
            if (!('id' in message) || message.id !== id) return;
            if (message.type === 'view') onView(message.candidates, message.spec);
            else if (message.type === 'learned') resolve(message.result);
            else reject(new Error(message.message));
          },
          listening,
        );
        worker.postMessage({ type: 'teach', id, request } satisfies ToTeachWorker);
      });
      return answered.finally(() => heard.abort());
    },
    end,
  };
}
