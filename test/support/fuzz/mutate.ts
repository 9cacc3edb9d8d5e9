import type { Random } from './random.ts';

/** What the bytes of a corpus are, which tells how to mutate them. */
export type Kind = 'json' | 'text' | 'bytes';

const encoder = new TextEncoder();
const decoder = new TextDecoder('latin1');

/** No mutant is larger, in bytes: times and memory are told for files of a size that picks and metadata have. */
const LARGEST = 2 ** 20;

/** Mutates an input: some changes of its structure, then sometimes some of its bytes. */
export function mutate(input: Uint8Array, kind: Kind, random: Random): Uint8Array {
  return mutateStructure(input, kind, random).slice(0, LARGEST);
}

function mutateStructure(input: Uint8Array, kind: Kind, random: Random): Uint8Array {
  if (kind === 'bytes') return mutateBytes(input, random);
  const bytes =
    kind === 'json'
      ? encoder.encode(mutateJson(new TextDecoder().decode(input), random))
      : latin(mutateText(decoder.decode(input), random));
  return random.chance(kind === 'json' ? 0.2 : 0.3) ? mutateBytes(bytes, random) : bytes;
}

/** JSON of odd meaning; `@` stands for what was there. */
const ODD_JSON = [
  ...[
    '0',
    '-1',
    '1e12',
    '1000000000000',
    '9007199254740993',
    '1e308',
    '1e999',
    '-0',
    '0.1',
    '4294967296',
    '2147483648',
  ],
  ...['NaN', '-Infinity', 'null', 'true', '""', '"\\u0000"', '"../../../etc/passwd"', '"/etc/passwd"', '"a\\u0000b"'],
  ...['"__proto__"', '"constructor"', '"\\ud800"', '"1e12"', '"file:///etc/passwd"', '"@@@"', '[]', '{}', '[null]'],
  ...['[[[[[[[[@]]]]]]]]', '{"__proto__": {"polluted": 1}}', '{"constructor": {"prototype": {"polluted": 1}}}'],
  ...['[@, @, @, @]', '{"0": @}', '"@"', '[1000000, 1000000, 1000000]', '[0, 0, 0]', '[-1, 1, 1]', '["1", 2, 3]'],
] as const;

const ODD_KEYS = ['__proto__', 'constructor', 'toString', '', '\u0000', 'hasOwnProperty', '../x', 'prototype'];

function mutateJson(text: string, random: Random): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return mutateText(text, random);
  }
  const count = countNodes(parsed);
  const targets = new Set(Array.from({ length: 1 + random.below(2) }, () => random.below(count)));
  let at = -1;
  const write = (value: unknown): string => {
    at++;
    const isTarget = targets.has(at);
    const inner = writeInner(value);
    return isTarget ? change(inner, value) : inner;
  };
  const writeInner = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    return `{${Object.entries(value)
      .map(([key, child]) => `${JSON.stringify(key)}:${write(child)}`)
      .join(',')}}`;
  };
  const change = (inner: string, value: unknown): string => {
    const roll = random.next();
    if (roll < 0.04) return '['.repeat(20_000) + ']'.repeat(random.chance(0.5) ? 20_000 : 0);
    if (roll < 0.07) return `[${`${inner},`.repeat(Math.min(2000, 1 + Math.floor(1e5 / inner.length)))}${inner}]`;
    if (roll < 0.1) return JSON.stringify(random.pick(['x', '\u0000', '../', '9']).repeat(50_000));
    if (roll < 0.35 && typeof value === 'object' && value !== null) return changeMembers(inner, value, random);
    return random.pick(ODD_JSON).replaceAll('@', () => inner);
  };
  return write(parsed);
}

/** Drops, doubles or adds members of an object or array. */
function changeMembers(inner: string, value: object, random: Random): string {
  const parts = Array.isArray(value)
    ? value.map((child) => JSON.stringify(child))
    : Object.entries(value).map(([key, child]) => `${JSON.stringify(key)}:${JSON.stringify(child)}`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const at = random.below(parts.length + 1);
  const odd = random.pick(ODD_JSON).replaceAll('@', '1');
  const roll = random.next();
  if (roll < 0.4) parts.splice(at, 1);
  else if (roll < 0.64) parts.splice(at, 0, parts[at] ?? inner.slice(1, -1));
  else if (Array.isArray(value)) parts.splice(at, 0, odd);
  else {
    const key = random.chance(0.5) ? random.pick(ODD_KEYS) : random.pick([...Object.keys(value), 'x']);
    parts.splice(at, 0, `${JSON.stringify(key)}:${odd}`);
  }
  return `${open}${parts.filter((part) => part !== '').join(',')}${close}`;
}

function countNodes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, child) => sum + countNodes(child), 1);
}

const ODD_WORDS = [
  ...[
    '',
    '0',
    '-1',
    '1e12',
    '1e999',
    'nan',
    'inf',
    '-inf',
    '999999999999999999999',
    '0x10',
    '1,5',
    '1.2.3',
    '--1',
    'é',
  ],
  ...[
    '"',
    "'",
    '"unclosed',
    '<!-- ',
    '&amp;',
    '<!DOCTYPE x [<!ENTITY a "b">]>',
    '&a;',
    '__proto__',
    'constructor',
    '../x',
  ],
  ...['/etc/passwd', '\0', 'data_', 'loop_', '_rlnTomoName', '#1', ';', '\t', '=', '{', '[', ']]>', '$', '%s'],
];

function mutateText(text: string, random: Random): string {
  const lines = text.split(/(?<=\n)/);
  for (let n = 1 + random.below(2); n > 0; n--) {
    const at = random.below(lines.length);
    const line = lines[at] ?? '';
    const roll = random.next();
    if (roll < 0.1) lines.splice(at, 1);
    else if (roll < 0.2) lines.splice(at, 0, line);
    else if (roll < 0.25) lines.splice(at, 0, ...Array.from({ length: timesOf(line, 500) }, () => line));
    else if (roll < 0.3) lines[at] = line.repeat(timesOf(line, 200));
    else if (roll < 0.35) lines[at] = random.pick(ODD_WORDS).repeat(20_000);
    else if (roll < 0.45) [lines[at], lines[0]] = [lines[0] ?? '', line];
    else {
      const words = line.split(/([\s,;"<>=]+)/);
      words[random.below(words.length)] = random.pick(ODD_WORDS);
      lines[at] = words.join('');
    }
  }
  return lines.join('');
}

/** How often to repeat a line, within the size of a mutant. */
function timesOf(line: string, wanted: number): number {
  return Math.min(wanted, Math.ceil(LARGEST / (line.length + 1)));
}

const ODD_NUMBERS = [
  0,
  1,
  -1,
  255,
  256,
  32767,
  32768,
  65535,
  2 ** 20,
  2 ** 28,
  2 ** 31 - 1,
  -(2 ** 31),
  10_000,
  1_000_000,
];

function mutateBytes(input: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = input.slice();
  for (let n = 1 + random.below(4); n > 0; n--) {
    if (bytes.length === 0) return latin(random.pick(ODD_WORDS));
    // Headers come first, and matter most.
    const at = random.chance(0.5) ? random.below(Math.min(bytes.length, 256)) : random.below(bytes.length);
    const roll = random.next();
    if (roll < 0.25) bytes[at]! ^= 1 << random.below(8);
    else if (roll < 0.35) bytes[at] = random.pick([0, 1, 127, 128, 255, random.below(256)]);
    else if (roll < 0.6) setNumber(bytes, at, random);
    else if (roll < 0.75) bytes = bytes.slice(0, at);
    else if (roll < 0.85) bytes = joined(bytes.subarray(0, at), latin(random.pick(ODD_WORDS)), bytes.subarray(at));
    else if (roll < 0.95) bytes = joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(16)));
    else bytes = joined(bytes, bytes.subarray(at));
  }
  return bytes;
}

function setNumber(bytes: Uint8Array, at: number, random: Random): void {
  const size = random.pick([2, 4, 4, 8]);
  const start = random.chance(0.7) ? at - (at % size) : at;
  if (start + size > bytes.length) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const value = random.pick(ODD_NUMBERS);
  const little = random.chance(0.7);
  if (size === 2) view.setInt16(start, value, little);
  else if (size === 8) view.setBigInt64(start, BigInt(value) * BigInt(random.pick([1, 2 ** 32])), little);
  else if (random.chance(0.2)) view.setFloat32(start, random.pick([Number.NaN, 1e38, -1, 0, 1e-40]), little);
  else view.setInt32(start, value, little);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function latin(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
