/** Writes the bytes of elements of `size` bytes plane by plane: all first bytes, all second bytes, …; a remainder is copied unchanged. */
export function shuffleInto(source: Uint8Array, target: Uint8Array, size: number): void {
  const count = Math.floor(source.length / size);
  if (size === 4 && source.byteOffset % 4 === 0 && LITTLE_ENDIAN) {
    const words = new Uint32Array(source.buffer, source.byteOffset, count);
    const [b, c, d] = [count, 2 * count, 3 * count];
    for (let i = 0; i < count; i++) {
      const word = words[i]!;
      target[i] = word;
      target[b + i] = word >>> 8;
      target[c + i] = word >>> 16;
      target[d + i] = word >>> 24;
    }
  } else {
    for (let byte = 0; byte < size; byte++) {
      for (let i = 0, s = byte, t = byte * count; i < count; i++, s += size) target[t++] = source[s]!;
    }
  }
  target.set(source.subarray(count * size), count * size);
}

/** Undoes {@link shuffleInto}. */
export function unshuffleInto(source: Uint8Array, target: Uint8Array, size: number): void {
  const count = Math.floor(source.length / size);
  if (size === 4 && target.byteOffset % 4 === 0 && LITTLE_ENDIAN) {
    const words = new Uint32Array(target.buffer, target.byteOffset, count);
    const [b, c, d] = [count, 2 * count, 3 * count];
    for (let i = 0; i < count; i++) {
      words[i] = source[i]! | (source[b + i]! << 8) | (source[c + i]! << 16) | (source[d + i]! << 24);
    }
  } else {
    for (let byte = 0; byte < size; byte++) {
      for (let i = 0, s = byte * count, t = byte; i < count; i++, t += size) target[t] = source[s++]!;
    }
  }
  target.set(source.subarray(count * size), count * size);
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Undoes blosc's bit shuffle: bit plane after bit plane, least significant first, of elements of `size` bytes.
 *
 * If the number of elements is not a multiple of 8, blosc 1 stores them unshuffled. Source: bitshuffle by K. Masui et
 * al., as c-blosc 1 calls it.
 */
export function unshuffleBitsInto(source: Uint8Array, target: Uint8Array, size: number): void {
  const elements = Math.floor(source.length / size);
  const count = elements % 8 === 0 ? elements : 0;
  const planeBytes = count / 8;
  target.fill(0, 0, count * size);
  for (let plane = 0; plane < size * 8; plane++) {
    const bit = plane & 7;
    let t = plane >> 3;
    for (let i = 0, s = plane * planeBytes; i < planeBytes; i++, s++) {
      const bits = source[s]!;
      for (let k = 0; k < 8; k++, t += size) target[t] = target[t]! | (((bits >> k) & 1) << bit);
    }
  }
  target.set(source.subarray(count * size), count * size);
}
