import { CryoetPicksError } from '../core/errors.ts';
import { decodeText } from '../core/json.ts';
import { type Field, fieldHead, fieldsOf, joinedBytes, NoMessage } from './protobuf.ts';

/**
 * A file of weights that an ONNX file refers to by name, as PyTorch writes them beside it: `unet.onnx.data`. ONNX Runtime takes
 * the same shape.
 */
export interface ExternalData {
  /** The name in the ONNX file: a path relative to that file. */
  readonly path: string;
  readonly data: Uint8Array | ArrayBuffer;
}

/** A tensor whose values lie in another file. */
interface ExternalTensor {
  /** For messages. */
  readonly name: string;
  /** The file, as a normal path relative to the ONNX file. */
  readonly location: string;
  readonly offset: number;
  /** In bytes. @defaultValue up to the end of the file */
  readonly length: number | undefined;
}

/** Protobuf holds at most this many bytes. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * The files of weights that an ONNX file refers to, each once, relative to it.
 *
 * @param model - The network's name, for messages.
 * @throws {@link CryoetPicksError} `model-failed` for a name that leads out of the folder of the ONNX file.
 */
export function externalPaths(file: Uint8Array, model: string): readonly string[] {
  const paths = new Set<string>();
  replaceTensors(file, model, ({ location }) => {
    paths.add(location);
    return undefined;
  });
  return [...paths];
}

/**
 * An ONNX file with its weights inside, so that no runtime searches for them: what onnxruntime-node is given as bytes, it
 * completes from the working directory, and versions before 1.22 know no other way.
 *
 * @param model - The network's name, for messages.
 * @returns The file itself if it refers to no other.
 * @throws {@link CryoetPicksError} `invalid-option` if a file that it refers to was not given; `model-failed` for a name that
 * leads out of the folder of the ONNX file, for weights that are cut off, and above 2 GiB.
 */
export function withWeights(file: Uint8Array, model: string, externalData: readonly ExternalData[] = []): Uint8Array {
  const bytesOf = (data: Uint8Array | ArrayBuffer) => (data instanceof Uint8Array ? data : new Uint8Array(data));
  const given = new Map(externalData.map(({ path, data }) => [normalPath(path), bytesOf(data)]));
  return replaceTensors(file, model, ({ name, location, offset, length }) => {
    const weights = given.get(location);
    if (weights === undefined) {
      throw new CryoetPicksError(
        'invalid-option',
        `model "${model}" has weights in another file, ${JSON.stringify(location)}, which was not given; pass its bytes as ` +
          `externalData: [{ path: ${JSON.stringify(location)}, data }]`,
        { option: 'externalData', available: [...given.keys()] },
      );
    }
    const end = offset + (length ?? Math.max(0, weights.length - offset));
    if (end > weights.length) {
      const found = `${JSON.stringify(location)} has ${weights.length} bytes, but the bytes ${offset} to ${end} of it hold`;
      fail(model, `${found} tensor ${JSON.stringify(name)}; the file is cut off, or belongs to another network`);
    }
    return weights.subarray(offset, end);
  });
}

/** Takes the values of a tensor; undefined leaves it as it is. */
type Replace = (tensor: ExternalTensor) => Uint8Array | undefined;

function replaceTensors(file: Uint8Array, model: string, replace: Replace): Uint8Array {
  // ONNX Runtime's own format refers to no other file.
  if (new TextDecoder().decode(file.subarray(4, 8)) === 'ORTM') return file;
  try {
    const pieces = rewritten(file, 'model', { model, replace, depth: 0 });
    return pieces === undefined ? file : joined(pieces, model);
  } catch (error) {
    // The runtime says better what is wrong with a file that is no network.
    if (error instanceof NoMessage) return file;
    throw error;
  }
}

/** The messages of an ONNX file that may contain tensors, by field: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
const messages = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node', 11: 'attribute' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
} as const satisfies Record<string, Readonly<Record<number, string>>>;

type MessageKind = keyof typeof messages;

interface Rewriting {
  readonly model: string;
  readonly replace: Replace;
  readonly depth: number;
}

/** A message with the tensors in it replaced, as pieces; undefined if it stays as it is. */
function rewritten(message: Uint8Array, kind: MessageKind, rewriting: Rewriting): Uint8Array[] | undefined {
  const depth = rewriting.depth + 1;
  // Protobuf reads no deeper either.
  if (depth > 100) throw new NoMessage();
  const children: Readonly<Record<number, MessageKind | 'tensor'>> = messages[kind];
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const { number, start, end, bytes } of fieldsOf(message)) {
    const child = bytes && children[number];
    if (child === undefined) continue;
    const change =
      child === 'tensor' ? rewrittenTensor(bytes!, rewriting) : rewritten(bytes!, child, { ...rewriting, depth });
    if (change === undefined) continue;
    const length = change.reduce((sum, piece) => sum + piece.length, 0);
    pieces.push(message.subarray(kept, start), fieldHead(number, length));
    for (const piece of change) pieces.push(piece);
    kept = end;
  }
  if (pieces.length === 0) return undefined;
  pieces.push(message.subarray(kept));
  return pieces;
}

/** Fields of a tensor. */
const NAME = 8;
const RAW_DATA = 9;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;

/** A tensor with its values inside, as pieces; undefined if they are there already. */
function rewrittenTensor(tensor: Uint8Array, { model, replace }: Rewriting): Uint8Array[] | undefined {
  const kept: Uint8Array[] = [];
  const entries = new Map<string, string>();
  let name = '';
  let isExternal = false;
  for (const { number, start, end, bytes, value } of fieldsOf(tensor)) {
    if (number === DATA_LOCATION) isExternal = value === 1;
    else if (number === EXTERNAL_DATA && bytes) {
      const entry = [...fieldsOf(bytes)];
      entries.set(textOf(entry, 1, model), textOf(entry, 2, model));
    } else if (number !== RAW_DATA) kept.push(tensor.subarray(start, end));
    // Only for messages, so bytes that are not UTF-8 do not matter.
    if (number === NAME && bytes) name = new TextDecoder().decode(bytes);
  }
  if (!isExternal) return undefined;
  const location = locationOf(entries.get('location') ?? '', model);
  const offset = byteCount('offset', entries, { name, model }) ?? 0;
  const values = replace({ name, location, offset, length: byteCount('length', entries, { name, model }) });
  return values && [...kept, fieldHead(RAW_DATA, values.length), values];
}

function textOf(entry: readonly Field[], field: number, model: string): string {
  const bytes = entry.findLast(({ number }) => number === field)?.bytes;
  const what = `model "${model}": where its weights are`;
  return decodeText(bytes ?? new Uint8Array(), { what, code: 'model-failed' });
}

/** An offset or a length: decimal digits. */
function byteCount(
  key: 'offset' | 'length',
  entries: ReadonlyMap<string, string>,
  { name, model }: { readonly name: string; readonly model: string },
): number | undefined {
  const text = entries.get(key);
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const found = JSON.stringify(text.slice(0, 50));
  fail(model, `tensor ${JSON.stringify(name)} has ${key} ${found} in its file of weights; expected a number of bytes`);
}

/** A path within the folder of the ONNX file. @throws {@link CryoetPicksError} `model-failed` if it leads out of it. */
function locationOf(location: string, model: string): string {
  const path = normalPath(location);
  const leadsOut = /^(?:[/\\]|[a-z]:|[a-z][a-z\d+.-]*:\/\/)/i.test(location) || path.split(/[/\\]/).includes('..');
  if (!leadsOut && path !== '' && !path.includes('\0')) return path;
  const found = JSON.stringify(location.slice(0, 200));
  fail(model, `its weights are in ${found}; expected a file in the folder of the network, or in one below it`);
}

/** Without segments that are empty or `.`. */
function normalPath(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.join('/');
}

function joined(pieces: readonly Uint8Array[], model: string): Uint8Array {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (length > MAX_BYTES) fail(model, `with its weights it has ${length} bytes; expected at most ${MAX_BYTES}`);
  return joinedBytes(pieces);
}

function fail(model: string, what: string): never {
  throw new CryoetPicksError('model-failed', `model "${model}": ${what}`);
}
