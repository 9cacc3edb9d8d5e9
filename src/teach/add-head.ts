import {
  bytesRule,
  callback,
  finiteNumber,
  isFields,
  modelSpec,
  optional,
  type Rule,
  requireArgument,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { sha256Hex } from '../core/sha256.ts';
import { withoutFeatures } from '../inference/feature-model.ts';
import { type Activation, requireSpec } from '../inference/model.ts';
import { bytesField, type Field, fieldsOf, joinedBytes, NoMessage, numberField } from '../inference/protobuf.ts';
import type { Head } from './head.ts';
import { BOX_EDGES } from './surroundings.ts';
import type { Taught } from './teach.ts';

/**
 * Adds what was taught to the file of the network: one ONNX file, which `loadModel`, onnxruntime of Python and browsers load.
 *
 * The heads are convolutions of 1×1×1 on the output `features`, means of what they give over boxes, their sum, and a sigmoid each. The scores of the network's own objects get their
 * activation in the graph, too, and stand before them, or are left out. The file still gives its features, so more can be added to it.
 * Beside it belongs the card, `formatModelSpec(taught.spec)`.
 *
 * @param network - The bytes of the ONNX file whose features were used; its weights inside.
 * @returns The bytes of the new file.
 * @throws {@link CryoetPicksError} `invalid-option` for another network, by its SHA-256; `unsupported` for one without features, or whose
 *   operators are older than opset 13.
 *
 * @example
 * ```ts
 * const features = await computeFeatures(tomogram, { model, run: 'TS_1' });
 * const taught = await teach([features], [{ run: 'TS_1', picks }]);
 * await writeFile('mine.onnx', await addHead(await readFile('default.onnx'), taught));
 * await writeFile('mine.json', formatModelSpec(taught.spec));
 * ```
 */
export async function addHead(network: Uint8Array, taught: Taught): Promise<Uint8Array> {
  requireArgument('addHead', 'network', network, bytesRule);
  requireArgument('addHead', 'taught', taught, taughtRule);
  const { spec, objects, base } = taught;
  requireSpec('addHead', spec);
  requireSpec('addHead', base.spec);
  const sha256 = await sha256Hex(network);
  if (base.sha256 !== undefined && sha256 !== undefined && base.sha256 !== sha256) {
    throw new CryoetPicksError(
      'invalid-option',
      `these heads were taught on the features of network "${base.spec.name}" (SHA-256 ${base.sha256}), not of this one ` +
        `(SHA-256 ${sha256}); pass the bytes of that one, with its weights inside`,
      { option: 'network' },
    );
  }
  const heads = objects.map(({ head }) => head);
  const known = spec.classes.length > heads.length ? base.spec.activation : undefined;
  try {
    return withHeads(network, heads, { known, classes: spec.classes.length, name: base.spec.name });
  } catch (error) {
    if (!(error instanceof NoMessage)) throw error;
    const message = `network "${base.spec.name}": these bytes are no ONNX file`;
    throw new CryoetPicksError('invalid-option', message, { option: 'network', cause: error });
  }
}

const taughtRule: Rule = {
  expected: 'what was taught, `await teach(features, picks)`',
  isValid: isFields,
  fields: {
    spec: modelSpec,
    objects: {
      expected: 'a list of taught objects',
      isValid: (value) => Array.isArray(value) && value.length > 0,
      items: {
        expected: 'a taught object { object, head }',
        isValid: isFields,
        fields: {
          head: {
            expected: 'a head { weights, bias }',
            isValid: isFields,
            fields: {
              weights: { expected: 'a Float64Array', isValid: (value) => value instanceof Float64Array },
              bias: finiteNumber,
            },
          },
        },
      },
    },
    base: {
      expected: 'the network that it was taught on { spec, sha256 }',
      isValid: isFields,
      fields: { spec: modelSpec, sha256: /* @__PURE__ */ optional(text) },
    },
    scoreSlabs: callback,
  },
};

interface HeadOptions {
  /** The activation of the network's own scores; undefined to leave them out. */
  readonly known: Activation | undefined;
  /** Number of classes of the new file. */
  readonly classes: number;
  /** Name of the network, for messages. */
  readonly name: string;
}

/** Fields of the messages of ONNX: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
const MODEL = { graph: 7, opsets: 8 } as const;
const GRAPH = { node: 1, initializer: 5, output: 12 } as const;
const NODE = { input: 1, output: 2, operator: 4, attribute: 5 } as const;
const ATTRIBUTE = { name: 1, number: 3, numbers: 8, type: 20 } as const;
const TENSOR = { dimension: 1, type: 2, name: 8, data: 9 } as const;

/** From this opset on, Softmax is over one axis. */
const MIN_OPSET = 13;

function withHeads(network: Uint8Array, heads: readonly Head[], options: HeadOptions): Uint8Array {
  const model = [...fieldsOf(network)];
  const graph = model.find(({ number }) => number === MODEL.graph)?.bytes;
  if (graph === undefined) throw new NoMessage();
  requireOpset(model, options.name);
  const fields = [...fieldsOf(graph)];
  const outputs = fields.filter(({ number }) => number === GRAPH.output);
  const features = outputs.find((output) => nameOf(output) === 'features');
  const scores = outputs.find((output) => nameOf(output) !== 'features');
  if (features === undefined || scores === undefined || outputs.length !== 2) throw withoutFeatures(options);
  const prefix = freePrefix(fields);
  const added = [
    ...headNodes(heads, { prefix, scores: nameOf(scores), known: options.known }),
    scoresPort(features.bytes!, `${prefix}scores`, options.classes),
    graph.subarray(features.start, features.end),
  ];
  const kept = fields
    .filter(({ number }) => number !== GRAPH.output)
    .map(({ start, end }) => graph.subarray(start, end));
  const rest = model
    .filter(({ number }) => number !== MODEL.graph)
    .map(({ start, end }) => network.subarray(start, end));
  return joinedBytes([...rest, bytesField(MODEL.graph, ...kept, ...added)]);
}

function requireOpset(model: readonly Field[], name: string): void {
  const versions = model.flatMap(({ number, bytes }) => {
    if (number !== MODEL.opsets || bytes === undefined) return [];
    const fields = [...fieldsOf(bytes)];
    const isOfOnnx = ['', 'ai.onnx'].includes(textOf(fields.find((field) => field.number === 1)));
    return isOfOnnx ? [fields.find((field) => field.number === 2)?.value ?? 0] : [];
  });
  if (Math.max(0, ...versions) >= MIN_OPSET) return;
  throw new CryoetPicksError(
    'unsupported',
    `network "${name}" has operators of opset ${versions.join(', ') || 'unknown'}; export it with opset ${MIN_OPSET} or later`,
  );
}

/** The name of an output. */
function nameOf({ bytes }: Field): string {
  return textOf(bytes && [...fieldsOf(bytes)].find(({ number }) => number === 1));
}

function textOf(field: Field | undefined): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(field?.bytes ?? new Uint8Array());
}

/** A prefix that no tensor of the graph has: a network may be taught again. */
function freePrefix(fields: readonly Field[]): string {
  const names = fields
    .filter(({ number }) => number === GRAPH.node)
    .flatMap(({ bytes }) => [...fieldsOf(bytes!)].filter(({ number }) => number === NODE.output).map(textOf));
  for (let n = 1; ; n++) {
    const prefix = `taught${n}/`;
    if (!names.some((name) => name.startsWith(prefix))) return prefix;
  }
}

interface NodeOptions extends Pick<HeadOptions, 'known'> {
  readonly prefix: string;
  /** Name of the network's own scores. */
  readonly scores: string;
}

/** The heads as fields of the graph. */
function headNodes(heads: readonly Head[], { prefix, scores, known }: NodeOptions): Uint8Array[] {
  const at = (name: string) => `${prefix}${name}`;
  const own = known === undefined ? at('scores') : at('objects');
  const boxes = BOX_EDGES.map((edge, b) => boxNodes(heads, { prefix: at(`box${edge}/`), b, edge }));
  const sums = boxes.map(({ output }, b) => (b === 0 ? output : at(`sum${b}`)));
  const additions = boxes.slice(1).map(({ output }, b) => node('Add', [sums[b]!, output], sums[b + 1]!));
  const result = [...boxes.flatMap(({ nodes }) => nodes), ...additions, node('Sigmoid', [sums.at(-1)!], own)];
  if (known === undefined) return result;
  const operator = { softmax: 'Softmax', sigmoid: 'Sigmoid', none: 'Identity' }[known];
  return [
    ...result,
    node(operator, [scores], at('known'), ...(known === 'softmax' ? [numberAttribute('axis', 1)] : [])),
    node('Concat', [at('known'), own], at('scores'), numberAttribute('axis', 1)),
  ];
}

interface BoxOptions {
  readonly prefix: string;
  /** Index of the box, and its edge in cells. */
  readonly b: number;
  readonly edge: number;
}

/** What the mean of the features over a box adds to the logits: a mean along each axis of the weighted sums. */
function boxNodes(
  heads: readonly Head[],
  { prefix, b, edge }: BoxOptions,
): { readonly nodes: Uint8Array[]; readonly output: string } {
  const at = (name: string) => `${prefix}${name}`;
  const count = heads[0]!.weights.length / BOX_EDGES.length;
  const weights = heads.flatMap((head) => [...head.weights.subarray(b * count, (b + 1) * count)]);
  const bias = heads.map((head) => (b === 0 ? head.bias : 0));
  const names = ['sums', 'z', 'zy', 'zyx'].map(at);
  const means = [0, 1, 2].map((axis) => {
    const along = (value: number, others: number) => [0, 1, 2].map((other) => (other === axis ? value : others));
    const pads = along(edge >> 1, 0);
    return node(
      'AveragePool',
      [names[axis]!],
      names[axis + 1]!,
      numbersAttribute('kernel_shape', along(edge, 1)),
      numbersAttribute('pads', [...pads, ...pads]),
    );
  });
  const nodes = [
    tensor(at('weights'), [heads.length, count, 1, 1, 1], Float32Array.from(weights)),
    tensor(at('bias'), [heads.length], Float32Array.from(bias)),
    node('Conv', ['features', at('weights'), at('bias')], names[0]!, numbersAttribute('kernel_shape', [1, 1, 1])),
    ...means,
  ];
  return { nodes, output: names[3]! };
}

function node(
  operator: string,
  inputs: readonly string[],
  output: string,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  const named = inputs.map((input) => bytesField(NODE.input, input));
  return bytesField(
    GRAPH.node,
    ...named,
    bytesField(NODE.output, output),
    bytesField(NODE.operator, operator),
    ...attributes.map((attribute) => bytesField(NODE.attribute, attribute)),
  );
}

/** Types of attributes. */
const [INT, INTS] = [2, 7];

function numberAttribute(name: string, value: number): Uint8Array {
  return joinedBytes([
    bytesField(ATTRIBUTE.name, name),
    numberField(ATTRIBUTE.number, value),
    numberField(ATTRIBUTE.type, INT),
  ]);
}

function numbersAttribute(name: string, values: readonly number[]): Uint8Array {
  const numbers = values.map((value) => numberField(ATTRIBUTE.numbers, value));
  return joinedBytes([bytesField(ATTRIBUTE.name, name), ...numbers, numberField(ATTRIBUTE.type, INTS)]);
}

/** The type float32. */
const FLOAT = 1;

function tensor(name: string, shape: readonly number[], values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return bytesField(
    GRAPH.initializer,
    ...shape.map((length) => numberField(TENSOR.dimension, length)),
    numberField(TENSOR.type, FLOAT),
    bytesField(TENSOR.name, name),
    bytesField(TENSOR.data, bytes),
  );
}

/** The output of scores: the shape of the features, but for the number of channels. */
function scoresPort(features: Uint8Array, name: string, classes: number): Uint8Array {
  const inside = (message: Uint8Array | undefined, number: number) =>
    [...fieldsOf(message ?? new Uint8Array())].filter((field) => field.number === number).map(({ bytes }) => bytes!);
  const [shape] = inside(inside(inside(features, 2)[0], 1)[0], 2);
  const lengths = inside(shape, 1).map((length, axis) => bytesField(1, axis === 1 ? numberField(1, classes) : length));
  const type = bytesField(1, numberField(1, FLOAT), bytesField(2, ...lengths));
  return bytesField(GRAPH.output, bytesField(1, name), bytesField(2, type));
}
