import type { InferenceSession } from 'onnxruntime-common';
import { CryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import type { ModelSpec } from './model.ts';

/** Where tiles go in and scores come out, and which sizes the file fixes. */
export interface OnnxPorts {
  readonly input: string;
  readonly output: string;
  /** Tiles per run, where the file fixes it. */
  readonly fixedBatch: number | undefined;
  /** Edges of a tile, where the file fixes them. */
  readonly fixedTile: readonly (number | undefined)[];
}

/** What a file says of one tensor; a dimension is a size or the name of a free one. */
type Metadata = InferenceSession.ValueMetadata;

/**
 * Checks, before anything runs, that a network has one input `[n, 1, z, y, x]` and one output `[n, class, z, y, x]`, both
 * float32, and that what the file fixes of these agrees with the card.
 *
 * @throws {@link CryoetPicksError} `model-failed`
 */
export function checkMetadata(
  { inputMetadata, outputMetadata }: Pick<InferenceSession, 'inputMetadata' | 'outputMetadata'>,
  spec: ModelSpec,
): OnnxPorts {
  const { tile, outputStride, classes } = spec;
  const input = onlyTensor('input', inputMetadata, spec);
  const output = onlyTensor('output', outputMetadata, spec);
  requireDimensions('input', input, [undefined, 1, ...tile], spec);
  const scores = tile.map((edge) => edge / outputStride);
  requireDimensions('output', output, [undefined, classes.length, ...scores], spec);
  const fixed = input.shape.map((size) => (isFixed(size) ? size : undefined));
  const fixedEdges = fixed.slice(2).filter((size) => size !== undefined);
  if (spec.tileMultiple !== undefined && fixedEdges.length > 0) {
    fail(
      `model "${spec.name}": its card has a tileMultiple, so tiles may be smaller than ${formatZyx(tile)}, but input ` +
        `"${input.name}" has shape [${input.shape.join(', ')}]; leave tileMultiple out of the card, or export with symbolic sizes`,
    );
  }
  return { input: input.name, output: output.name, fixedBatch: fixed[0], fixedTile: fixed.slice(2) };
}

type Tensor = Extract<Metadata, { isTensor: true }>;

function onlyTensor(port: 'input' | 'output', all: readonly Metadata[], { name }: ModelSpec): Tensor {
  const [first] = all;
  if (all.length !== 1 || first === undefined) {
    const names = all.map((value) => `"${value.name}"`).join(', ');
    fail(`model "${name}" has ${all.length} ${port}s${names && ` (${names})`}; expected one`);
  }
  if (!first.isTensor || first.type !== 'float32') {
    const found = first.isTensor ? first.type : 'no tensor';
    fail(`model "${name}": ${port} "${first.name}" is ${found}; expected a float32 tensor`);
  }
  return first;
}

/** What each axis of a port is, for messages. */
const AXES = {
  input: ['n', 'channel', 'z', 'y', 'x'],
  output: ['n', 'class', 'z', 'y', 'x'],
} as const;

function requireDimensions(
  port: 'input' | 'output',
  { name: tensor, shape }: Tensor,
  expected: readonly (number | undefined)[],
  { name, tile, classes }: ModelSpec,
): void {
  const axes = AXES[port];
  // Some runtimes give an empty shape where the file says nothing of it.
  if (port === 'output' && shape.length === 0) return;
  const found = `model "${name}": ${port} "${tensor}" has shape [${shape.join(', ')}]`;
  if (shape.length !== 5) fail(`${found}, ${shape.length} dimensions; expected 5: [${axes.join(', ')}]`);
  expected.forEach((size, i) => {
    const dimension = shape[i];
    if (size === undefined || !isFixed(dimension) || dimension === size) return;
    const card = i > 1 ? `the card's tile is ${formatZyx(tile)} voxels` : `its card names ${classes.length} classes`;
    const why = port === 'input' && i === 1 ? 'tomograms have one channel' : card;
    fail(`${found}; ${why}, so ${axes[i]} must be ${size}, not ${dimension}`);
  });
}

/** Symbolic dimensions are names; some runtimes give -1 or 0 for one without a name. */
function isFixed(dimension: number | string): dimension is number {
  return typeof dimension === 'number' && dimension > 0;
}

function fail(message: string): never {
  throw new CryoetPicksError('model-failed', message);
}
