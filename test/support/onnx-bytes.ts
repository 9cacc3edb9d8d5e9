/**
 * ONNX files by hand: the scores of a network are its tiles times one weight, which is in another file.
 *
 * @module
 */

/** The entries of a reference to another file; each is absent if undefined. */
export interface Reference {
  readonly location?: string | undefined;
  readonly offset?: string | undefined;
  readonly length?: string | undefined;
}

/** One weight as the bytes of its file. */
export function weightBytes(weight: number): Uint8Array {
  return new Uint8Array(Float32Array.of(weight).buffer);
}

/** A network `[n, 1, z, y, x]` → `[n, 1, z, y, x]` whose weight is in another file. */
export function networkWithWeightsBeside(reference: Reference): Uint8Array {
  return model(graph({ weight: externalTensor('w', reference) }));
}

/** The same, with the weight as an attribute of a node, in the branch of a condition that is always true. */
export function networkWithWeightsInBranch(reference: Reference): Uint8Array {
  const constant = message(
    text(2, 'w'),
    text(4, 'Constant'),
    field(5, message(text(1, 'value'), field(5, externalTensor('', reference)), varint(20, 4))),
  );
  const branch = message(
    field(1, constant),
    field(1, message(text(1, 'x'), text(1, 'w'), text(2, 'scaled'), text(4, 'Mul'))),
    text(2, 'branch'),
    field(12, port('scaled')),
  );
  const attribute = (name: string) => field(5, message(text(1, name), field(6, branch), varint(20, 5)));
  const condition = message(varint(2, 9), text(8, 'yes'), field(9, Uint8Array.of(1)));
  return model(
    message(
      field(
        1,
        message(text(1, 'yes'), text(2, 'y'), text(4, 'If'), attribute('then_branch'), attribute('else_branch')),
      ),
      text(2, 'graph'),
      field(5, condition),
      field(11, port('x')),
      field(12, port('y')),
    ),
  );
}

function model(content: Uint8Array): Uint8Array {
  return message(varint(1, 8), field(7, content), field(8, message(text(1, ''), varint(2, 17))));
}

function graph({ weight }: { readonly weight: Uint8Array }): Uint8Array {
  return message(
    field(1, message(text(1, 'x'), text(1, 'w'), text(2, 'y'), text(4, 'Mul'))),
    text(2, 'graph'),
    field(5, weight),
    field(11, port('x')),
    field(12, port('y')),
  );
}

function externalTensor(name: string, { location, offset, length }: Reference): Uint8Array {
  const entries = Object.entries({ location, offset, length }).flatMap(([key, value]) =>
    value === undefined ? [] : [field(13, message(text(1, key), text(2, value)))],
  );
  // One float32.
  return message(varint(1, 1), varint(2, 1), text(8, name), ...entries, varint(14, 1));
}

function port(name: string): Uint8Array {
  const axes = ['n', 1, 'z', 'y', 'x'].map((axis) =>
    field(1, typeof axis === 'number' ? message(varint(1, axis)) : message(text(2, axis))),
  );
  return message(text(1, name), field(2, message(field(1, message(varint(1, 1), field(2, message(...axes)))))));
}

function message(...fields: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(fields.flatMap((bytes) => [...bytes]));
}

function field(number: number, bytes: Uint8Array): Uint8Array {
  return message(digits(number * 8 + 2), digits(bytes.length), bytes);
}

function text(number: number, value: string): Uint8Array {
  return field(number, new TextEncoder().encode(value));
}

function varint(number: number, value: number): Uint8Array {
  return message(digits(number * 8), digits(value));
}

function digits(value: number): Uint8Array {
  return value < 128 ? Uint8Array.of(value) : Uint8Array.of((value % 128) + 128, ...digits(Math.floor(value / 128)));
}
