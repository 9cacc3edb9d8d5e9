import { registry } from 'zarrita';
import { CryoetPicksError } from '../errors.ts';

type Loader = NonNullable<ReturnType<typeof registry.get>>;

/** The loaders that zarrita came with; they compile code and so are called only when a chunk needs them. */
const originals = new Map<string, Loader>();

/** A codec that checks nothing. */
interface OriginalCodec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Keeps the codecs of zarrita that are about to be replaced in its registry; false if that has been done. */
export function keepOriginals(): boolean {
  if (originals.size > 0) return false;
  for (const name of ['blosc', 'zstd'] as const) originals.set(name, registry.get(name)!);
  return true;
}

/** One of the kept codecs. */
export async function originalCodec(name: 'blosc' | 'zstd', config: object): Promise<OriginalCodec> {
  const loaded = (await originals.get(name)!()) as unknown as { fromConfig(config: object): OriginalCodec };
  return loaded.fromConfig(config);
}

/** @throws {@link CryoetPicksError} `unsupported` if what went wrong is that no code may be compiled. */
export function refuseIfEvaluating(cause: unknown, what: string): void {
  if (!(cause instanceof EvalError)) return;
  throw new CryoetPicksError(
    'unsupported',
    `${what} needs "unsafe-eval", which the Content-Security-Policy of this page refuses`,
    { cause },
  );
}
