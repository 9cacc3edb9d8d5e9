import { rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ModelSpec } from '../inference/model.ts';
import { formatModelSpec } from '../inference/model-card.ts';
import { destinationOf, orAbsent, writeAtomically } from '../node/atomic-files.ts';
import { readRegular } from '../node/read-file.ts';
import { type Output, openOutput } from './files.ts';
import { type Terminal, UsageError } from './terminal.ts';

/** Where a model is written to. */
export interface ModelOutput {
  /**
   * Writes the network and its card, or leaves both files as they were. Whenever the program is killed, a network has the card that
   * belongs to it, or none, without which it is not loaded.
   */
  write(network: Uint8Array, spec: ModelSpec): Promise<void>;
}

/** The card of a network: beside it, with the ending `.json`. @throws {@link UsageError} for a network of another ending than `.onnx`. */
export function cardBeside(network: string): string {
  if (/[^/\\]\.onnx$/i.test(network)) return network.replace(/\.onnx$/i, '.json');
  throw new UsageError(
    `--out is ${network}, expected a name that ends in .onnx, such as mine.onnx; its card is written beside it, as mine.json`,
  );
}

/**
 * Checks, before any work, that a network and its card can be written, and what they would replace.
 *
 * @throws {@link UsageError} for a network of another ending than `.onnx`; what {@link openOutput} throws; without `overwrite` also for
 *   any file that is there.
 */
export async function openModelOutput(
  terminal: Terminal,
  network: string,
  { overwrite }: { readonly overwrite?: true | undefined },
): Promise<ModelOutput> {
  const paths = [network, cardBeside(network)];
  const outputs: Output[] = [];
  for (const path of paths) {
    const { kind } = await destinationOf(resolve(path));
    if (kind === 'stream' || kind === 'other') throw new UsageError(`--out: ${path} is no file; a model is two files`);
    outputs.push(await openOutput(terminal, path, { overwrite }));
  }
  return {
    async write(bytes, spec) {
      const before = await Promise.all(paths.map(fileThere));
      const [, card] = before;
      try {
        await rm(card!.file, { force: true });
        await outputs[0]!.write(bytes);
        await outputs[1]!.write(formatModelSpec(spec));
      } catch (error) {
        for (const one of before) await putBack(one);
        throw error;
      }
    },
  };
}

/** A file, and its bytes if it is there. */
interface FileThere {
  /** The target of a link. */
  readonly file: string;
  readonly bytes: Uint8Array | undefined;
}

async function fileThere(path: string): Promise<FileThere> {
  const { file } = await destinationOf(resolve(path));
  return { file, bytes: await orAbsent({ root: dirname(file), file }, () => readRegular(file)) };
}

async function putBack({ file, bytes }: FileThere): Promise<void> {
  if (bytes === undefined) await rm(file, { force: true });
  else await writeAtomically(file, bytes, { durable: true });
}
