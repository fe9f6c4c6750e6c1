/**
 * Half-precision numbers as JavaScript has no type for them: float16 (IEEE 754 binary16) and bfloat16 (the
 * upper half of a float32), each kept as 16-bit words in a `Uint16Array`. Rounding is to nearest, ties to
 * even.
 *
 * The loops read and write words, never numbers, wherever a NaN could pass: an engine may change a NaN's bits
 * when it goes through a number.
 */

/** 2^52: a double of this size has no fraction bits, so adding it rounds to a whole number, ties to even. */
const wholeNumbers = 2 ** 52;

/** For each of the 65,536 words of float16 the float32 word of equal value, made when first needed. */
let float32WordOf: Uint32Array | undefined;

function float16Table(): Uint32Array {
  const table = new Uint32Array(65_536);
  for (let word = 0; word < 65_536; word++) {
    const exponent = (word >>> 10) & 0x1f;
    const fraction = word & 0x3ff;
    let magnitude: number;
    if (exponent === 0x1f) {
      magnitude = 0x7f80_0000 | (fraction << 13);
    } else if (exponent !== 0) {
      magnitude = ((exponent + 112) << 23) | (fraction << 13);
    } else if (fraction !== 0) {
      // A subnormal float16 is a normal float32: its highest set bit becomes the hidden one.
      const shift = Math.clz32(fraction) - 21;
      magnitude = ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
    } else {
      magnitude = 0;
    }
    table[word] = ((word & 0x8000) << 16) | magnitude;
  }
  return table;
}

/** The 32-bit words of a float32 array, on the same memory. */
function wordsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** The float32 values of float16 words: exact, infinities and the bits of NaNs included. */
export function float16ToFloat32(
  source: Uint16Array,
  target = new Float32Array(source.length),
): Float32Array {
  float32WordOf ??= float16Table();
  const table = float32WordOf;
  const words = wordsOf(target);
  const length = source.length;
  for (let index = 0; index < length; index++) words[index] = table[source[index]!]!;
  return target;
}

/**
 * The float16 words nearest to float32 values. From 65,520 on the result is infinite; a NaN stays a (quiet)
 * NaN and keeps the upper bits of its payload.
 */
export function float32ToFloat16(source: Float32Array, target = new Uint16Array(source.length)): Uint16Array {
  const words = wordsOf(source);
  const length = source.length;
  for (let index = 0; index < length; index++) {
    const word = words[index]!;
    const magnitude = word & 0x7fff_ffff;
    let half: number;
    if (magnitude >= 0x4780_0000) {
      half = magnitude > 0x7f80_0000 ? 0x7e00 | ((magnitude >>> 13) & 0x3ff) : 0x7c00;
    } else if (magnitude < 0x3880_0000) {
      // Below the smallest normal float16 the words count multiples of 2^-24.
      half = Math.abs(source[index]!) * 0x100_0000 + wholeNumbers - wholeNumbers;
    } else {
      half = (magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    }
    target[index] = ((word >>> 16) & 0x8000) | half;
  }
  return target;
}

/** The float32 values of bfloat16 words: exact, infinities and the bits of NaNs included. */
export function bfloat16ToFloat32(
  source: Uint16Array,
  target = new Float32Array(source.length),
): Float32Array {
  const words = wordsOf(target);
  const length = source.length;
  for (let index = 0; index < length; index++) words[index] = source[index]! << 16;
  return target;
}

/**
 * The bfloat16 words nearest to float32 values. A NaN stays a (quiet) NaN and keeps the upper bits of its
 * payload.
 */
export function float32ToBfloat16(
  source: Float32Array,
  target = new Uint16Array(source.length),
): Uint16Array {
  const words = wordsOf(source);
  const length = source.length;
  for (let index = 0; index < length; index++) {
    const word = words[index]!;
    const isNotANumber = (word & 0x7fff_ffff) > 0x7f80_0000;
    target[index] = isNotANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return target;
}
