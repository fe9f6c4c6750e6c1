import { describe, expect, test } from "vitest";
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from "../../../src/util/half.ts";

const everyWord = Uint16Array.from({ length: 65_536 }, (_, word) => word);

/** The value of a float16 word from its definition, in double arithmetic. */
function float16Value(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 31;
  const fraction = word & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** The float32 with these bits. */
function fromBits(...bits: number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

describe("float16", () => {
  test("every word has the value that IEEE 754 gives it", () => {
    const values = float16ToFloat32(everyWord);
    for (const word of everyWord)
      expect(Object.is(values[word], float16Value(word)), `word ${word}`).toBe(true);
  });

  test("every word survives the way to float32 and back; a signalling NaN becomes quiet", () => {
    const back = float32ToFloat16(float16ToFloat32(everyWord));
    for (const word of everyWord) {
      const isNotANumber = (word & 0x7fff) > 0x7c00;
      expect(back[word], `word ${word}`).toBe(isNotANumber ? word | 0x200 : word);
    }
  });

  test("halfway values go to the even neighbour, anything else to the nearer one", () => {
    for (let word = 0; word < 0x7c00; word++) {
      const lower = float16Value(word);
      const upper = word === 0x7bff ? 65_536 : float16Value(word + 1);
      const middle = (lower + upper) / 2;
      // Bits of a positive float32 are ordered as its values, so a step of one bit is the nearest other float32.
      const [bits] = bitsOf(Float32Array.of(middle)) as unknown as [number];
      const [below, tie, above] = float32ToFloat16(fromBits(bits - 1, bits, bits + 1));
      expect(Math.fround(middle)).toBe(middle);
      expect([below, tie, above], `word ${word}`).toEqual([word, word + (word & 1), word + 1]);
    }
  });

  test("the sign is kept, also of zero and of what rounds to zero", () => {
    expect([...float32ToFloat16(Float32Array.of(-0, -1, -1e-30, 1e-30, -65_519, -65_520))]).toEqual([
      0x8000, 0xbc00, 0x8000, 0, 0xfbff, 0xfc00,
    ]);
  });

  test("infinities, values far too large and NaNs", () => {
    const nan = fromBits(0x7f80_0001, 0xffc0_0000, 0x7fff_ffff);
    expect([
      ...float32ToFloat16(Float32Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38)),
    ]).toEqual([0x7c00, 0xfc00, 0x7c00]);
    expect([...float32ToFloat16(nan)]).toEqual([0x7e00, 0xfe00, 0x7fff]);
  });
});

describe("bfloat16", () => {
  test("a word is the upper half of its float32", () => {
    const bits = bitsOf(bfloat16ToFloat32(everyWord));
    for (const word of everyWord) expect(bits[word]).toBe(word * 65_536);
  });

  test("every word survives the way to float32 and back; a signalling NaN becomes quiet", () => {
    const back = float32ToBfloat16(bfloat16ToFloat32(everyWord));
    for (const word of everyWord) {
      const isNotANumber = (word & 0x7fff) > 0x7f80;
      expect(back[word], `word ${word}`).toBe(isNotANumber ? word | 0x40 : word);
    }
  });

  test("halfway values go to the even neighbour, anything else to the nearer one", () => {
    for (let word = 0; word < 0x7f80; word++) {
      const bits = word * 65_536 + 0x8000;
      const rounded = float32ToBfloat16(fromBits(bits - 1, bits, bits + 1, bits + 0x8000_0000));
      const tie = word + (word & 1);
      expect([...rounded], `word ${word}`).toEqual([word, tie, word + 1, tie | 0x8000]);
    }
  });

  test("a NaN whose payload lies in the lower half stays a NaN", () => {
    expect([...float32ToBfloat16(fromBits(0x7f80_0001, 0xffff_ffff))]).toEqual([0x7fc0, 0xffff]);
  });
});

test("a given target is filled and returned, at any offset of its buffer", () => {
  const target = new Float32Array(4).subarray(1, 3);
  expect(float16ToFloat32(Uint16Array.of(0x3c00, 0xc000), target)).toBe(target);
  expect([...new Float32Array(target.buffer)]).toEqual([0, 1, -2, 0]);
  const halves = new Uint16Array(4).subarray(1, 3);
  expect(float32ToBfloat16(target, halves)).toBe(halves);
  expect([...new Uint16Array(halves.buffer)]).toEqual([0, 0x3f80, 0xc000, 0]);
});
