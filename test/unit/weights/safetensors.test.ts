import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { QkvError } from "../../../src/util/errors.ts";
import { headerLength, parse, parseHeader, serialize } from "../../../src/weights/safetensors.ts";
import {
  type StoredDtype,
  type StoredTensor,
  storedDtypes,
  tensorBytes,
  toFloat32,
  typedArray,
} from "../../../src/weights/stored-tensor.ts";
import { hasShared, needsShared, sharedPath } from "../../shared.ts";

/** A file from its header's text and its data. */
function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setUint32(0, text.length, true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

/** The text of a file's header, without the padding. */
function headerOf(file: Uint8Array): string {
  return new TextDecoder().decode(file.subarray(8, 8 + headerLength(file, file.length, "test"))).trimEnd();
}

function entry(shape: unknown, offsets: unknown, dtype: unknown = "F32"): string {
  return JSON.stringify({ dtype, shape, data_offsets: offsets });
}

function refusal(bytes: Uint8Array): string {
  try {
    parse(bytes, "model.safetensors");
  } catch (error) {
    expect(error).toBeInstanceOf(QkvError);
    expect((error as QkvError).code).toBe("file");
    expect((error as QkvError).message).toMatch(/^model\.safetensors: /);
    return (error as QkvError).message;
  }
  return "accepted";
}

describe("serialize", () => {
  test("orders by alignment, then by name in UTF-8 order, and pads the header", () => {
    const tensor = (dtype: StoredDtype): StoredTensor => ({
      dtype,
      shape: [1],
      data: new Uint8Array(tensorBytes(dtype, [1])!),
    });
    // The order that Hugging Face's safetensors 0.8.0 writes for the same tensors.
    const written = [
      "U64",
      "I64",
      "F64",
      "F32",
      "U32",
      "I32",
      "BF16",
      "F16",
      "U16",
      "I16",
      "I8",
      "U8",
      "BOOL",
    ];
    const shuffled = [...written].sort();
    const byDtype = serialize(new Map(shuffled.map((dtype) => [dtype, tensor(dtype as StoredDtype)])));
    expect([...parse(byDtype).tensors.keys()]).toEqual(written);
    const names = ["B", "a", 'q"\\/\n\u0001 \b', "é", "\uffee", "\u{1f600}"];
    const byName = serialize(new Map([...names].sort().map((name) => [name, tensor("F32")])));
    expect([...parse(byName).tensors.keys()]).toEqual(names);
    expect(byName.length % 8).toBe(0);
  });

  test("is what Hugging Face's safetensors 0.8.0 writes", () => {
    const tensors = new Map<string, StoredTensor>([
      ["z", { dtype: "F32", shape: [0, 3], data: new Float32Array(0) }],
      ["a", { dtype: "F32", shape: [1], data: new TextEncoder().encode("0000") }],
    ]);
    const expected =
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"z":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}}   ';
    expect(serialize(tensors, {})).toEqual(fileOf(expected, new TextEncoder().encode("0000")));
    expect(serialize(new Map(), {})).toEqual(fileOf("{}      "));
  });

  test("puts the metadata first, in order of their keys, and names the format by default", () => {
    expect(headerOf(serialize(new Map(), { z: "1", a: "é" }))).toBe('{"__metadata__":{"a":"é","z":"1"}}');
    expect(headerOf(serialize(new Map()))).toBe('{"__metadata__":{"format":"pt"}}');
  });

  test("takes any view of memory, also part of a buffer", () => {
    const data = Int32Array.of(1, 2, 3, 4).subarray(1, 3);
    const read = parse(serialize(new Map([["x", { dtype: "I32", shape: [2], data }]]))).tensors.get("x")!;
    expect([...typedArray(Int32Array, read.data)]).toEqual([2, 3]);
  });

  test("refuses what could not be read again", () => {
    const data = new Float32Array(2);
    const write = (name: string, shape: number[]) => () =>
      serialize(new Map([[name, { dtype: "F32" as const, shape, data }]]));
    expect(write("x", [3])).toThrow('tensor "x": F32 [3] has 12 bytes; got 8');
    expect(write("x", [-1, -2])).toThrow("too many");
    expect(write("x", [2 ** 52, 8])).toThrow("too many");
    expect(write("__metadata__", [2])).toThrow("taken");
    expect(write("\ud800", [2])).toThrow("well-formed");
  });

  test(`golden checkpoints are rewritten byte for byte${needsShared}`, { skip: !hasShared }, () => {
    const cases = ["torch_transformer/default", "torch_transformer/paper", "torch_transformer/prenorm_gelu"];
    for (const folder of [...cases, "llama/bf16", "gpt2/lm", "bert/base"]) {
      for (const name of ["model", "golden"]) {
        const bytes = new Uint8Array(readFileSync(sharedPath(`goldens/${folder}/${name}.safetensors`)));
        const { tensors, metadata } = parse(bytes);
        const shuffled = new Map([...tensors].reverse());
        expect(Buffer.compare(serialize(shuffled, metadata), bytes), `${folder}/${name}`).toBe(0);
      }
    }
  });
});

describe("parse refuses", () => {
  const four = new Uint8Array(4);
  const cases: [why: string, bytes: Uint8Array, message: string][] = [
    ["an empty file", new Uint8Array(0), "at least 8 bytes; got 0 bytes"],
    ["a length alone that is cut", new Uint8Array(7), "at least 8 bytes; got 7 bytes"],
    ["a header that is cut", fileOf("{}").subarray(0, 9), "ends before its header of 2 bytes"],
    [
      "a header of more than 100 MB",
      Uint8Array.of(1, 0xe1, 0xf5, 5, 0, 0, 0, 0),
      "100,000,000 bytes at most",
    ],
    ["a header of 2^64 - 1 bytes", new Uint8Array(8).fill(255), "100,000,000 bytes at most"],
    [
      "a Git LFS pointer",
      new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"),
      "git lfs pull",
    ],
    ["no header", fileOf(""), "must be JSON in UTF-8"],
    ["text that is not JSON", fileOf("{'a':1}"), "must be JSON in UTF-8"],
    ["bytes that are not UTF-8", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), "must be JSON in UTF-8"],
    ["a byte order mark", fileOf("\ufeff{}"), "must be JSON in UTF-8"],
    ["a list", fileOf("[]"), "must be a JSON object; got []"],
    ["endless brackets", fileOf("[".repeat(1_000_000)), "must be JSON"],
    ["metadata that are not strings", fileOf('{"__metadata__":{"a":1}}'), "object of strings"],
    ["a tensor that is no object", fileOf('{"a":[1]}'), 'tensor "a": must be an object; got [1]'],
    [
      "an unknown dtype",
      fileOf(`{"a":${entry([1], [0, 1], "F8_E4M3")}}`, four),
      "dtype must be one of U64 I64",
    ],
    [
      "a dtype from a prototype",
      fileOf(`{"a":${entry([1], [0, 4], "toString")}}`, four),
      "dtype must be one of",
    ],
    ["no dtype", fileOf('{"a":{"shape":[1],"data_offsets":[0,4]}}', four), "got nothing"],
    ["a negative size", fileOf(`{"a":${entry([-1], [0, 4])}}`, four), "whole numbers from 0 on; got [-1]"],
    ["a broken size", fileOf(`{"a":${entry([0.5], [0, 4])}}`, four), "whole numbers from 0 on; got [0.5]"],
    ["a shape that is a number", fileOf(`{"a":${entry(1, [0, 4])}}`, four), "whole numbers from 0 on; got 1"],
    ["offsets that go back", fileOf(`{"a":${entry([1], [4, 0])}}`, four), "start and end; got [4,0]"],
    ["one offset", fileOf(`{"a":${entry([1], [4])}}`, four), "start and end; got [4]"],
    ["shape and offsets that differ", fileOf(`{"a":${entry([2], [0, 4])}}`, four), "F32 [2] has 8 bytes"],
    ["a size that overflows", fileOf(`{"a":${entry([2 ** 40, 2 ** 40], [0, 4])}}`, four), "too many bytes"],
    ["a gap", fileOf(`{"a":${entry([1], [4, 8])}}`, new Uint8Array(8)), "a gap: it begins at"],
    [
      "an overlap",
      fileOf(`{"a":${entry([1], [0, 4])},"b":${entry([1], [2, 6])}}`, new Uint8Array(6)),
      'tensor "b" must begin where tensor "a" ends',
    ],
    [
      "an empty tensor inside another",
      fileOf(`{"a":${entry([1], [0, 4])},"b":${entry([0], [2, 2])}}`, four),
      "an overlap",
    ],
    ["data that are cut", fileOf(`{"a":${entry([2], [0, 8])}}`, four), "describes a file of"],
    ["data that no tensor has", fileOf(`{"a":${entry([0], [0, 0])}}`, four), "describes a file of"],
    ["one key twice", fileOf(`{"a":${entry([1], [0, 4])},"a":${entry([1], [0, 4])}}`, four), '"a" twice'],
    [
      "one key twice in two spellings",
      fileOf(`{"a":${entry([1], [0, 4])}, "\\u0061" :${entry([1], [0, 4])}}`, four),
      '"a" twice',
    ],
    ["a key of a tensor twice", fileOf('{"a":{"dtype":"F32","dtype":"U8"}}'), '"dtype" twice'],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(refusal(bytes)).toContain(message);
  });

  test("a long name or value without repeating all of it", () => {
    expect(refusal(fileOf(`{"${"x".repeat(100_000)}":1}`)).length).toBeLessThan(400);
  });
});

describe("parse accepts", () => {
  test("no tensors, space around the header, empty tensors anywhere, scalars, odd names", () => {
    const header = ` {"s":${entry([], [0, 4])},"__proto__":${entry([0], [0, 0])},"":${entry([3, 0], [4, 4])},"1":${entry([1], [4, 5], "BOOL")}}\n`;
    const { tensors, metadata } = parse(fileOf(header, Uint8Array.of(0, 0, 128, 63, 1)));
    expect([...tensors.keys()]).toEqual(["__proto__", "s", "", "1"]);
    expect([...toFloat32(tensors.get("s")!, "s")]).toEqual([1]);
    expect(tensors.get("")!.shape).toEqual([3, 0]);
    expect(metadata).toEqual({});
    expect(parse(fileOf("{}")).tensors.size).toBe(0);
  });

  test("the same keys in different objects, and quotes and brackets inside of strings", () => {
    const file = fileOf(`{"__metadata__":{"a":"{\\"a\\":1,","b":"\\\\"},"a":${entry([0], [0, 0])}}`);
    expect(parse(file).metadata).toEqual({ a: '{"a":1,', b: "\\" });
  });

  test("a header read alone, when the length of the file is given", () => {
    const file = serialize(new Map([["x", { dtype: "F32", shape: [2], data: new Float32Array(2) }]]));
    const header = parseHeader(file.subarray(0, file.length - 8), file.length, "x");
    expect(header.tensors.get("x")).toEqual({
      dtype: "F32",
      shape: [2],
      offset: file.length - 8,
      byteLength: 8,
    });
    expect(() => parseHeader(file.subarray(0, 20), file.length, "x")).toThrow(QkvError);
  });
});

describe("toFloat32", () => {
  const four = Float32Array.of(1, -2.5, 0, 1e30);
  test("an aligned float32 tensor is a view, any other a copy", () => {
    const aligned = { dtype: "F32" as const, shape: [4], data: new Uint8Array(four.buffer) };
    expect(toFloat32(aligned, "x").buffer).toBe(four.buffer);
    const shifted = new Uint8Array(17);
    shifted.set(aligned.data, 1);
    const copy = toFloat32({ ...aligned, data: shifted.subarray(1) }, "x");
    expect(copy).toEqual(four);
    expect(copy.buffer).not.toBe(shifted.buffer);
  });

  test("half precision is converted at any place in memory, float64 rounded", () => {
    const half = Uint8Array.of(9, 0x00, 0x3c, 0x00, 0xc1).subarray(1);
    expect([...toFloat32({ dtype: "F16", shape: [2], data: half }, "x")]).toEqual([1, -2.5]);
    expect([...toFloat32({ dtype: "BF16", shape: [2], data: Uint16Array.of(0x3f80, 0xc020) }, "x")]).toEqual([
      1, -2.5,
    ]);
    expect([...toFloat32({ dtype: "F64", shape: [1], data: Float64Array.of(0.1) }, "x")]).toEqual([
      Math.fround(0.1),
    ]);
  });

  test("whole numbers are refused", () => {
    const tensor = { dtype: "I64" as const, shape: [1], data: new BigInt64Array(1) };
    expect(() => toFloat32(tensor, "position_ids")).toThrow(
      "position_ids: must be a tensor of floating-point numbers; got I64",
    );
  });
});

describe("property", () => {
  const tensor = fc
    .record({
      dtype: fc.constantFrom(...storedDtypes),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
      seed: fc.nat(255),
    })
    .map(({ dtype, shape, seed }): StoredTensor => {
      const data = new Uint8Array(tensorBytes(dtype, shape)!).map((_, index) => seed + index * 7);
      return { dtype, shape, data };
    });
  const name = fc.string({ unit: "grapheme", maxLength: 8 }).filter((text) => text !== "__metadata__");
  const tensors = fc.array(fc.tuple(name, tensor), { maxLength: 6 }).map((entries) => new Map(entries));
  const metadata = fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), {
    maxKeys: 3,
  });

  test("what was serialized is parsed, and serialized again has the same bytes", () => {
    fc.assert(
      fc.property(tensors, metadata, (written, notes) => {
        const file = serialize(written, notes);
        const read = parse(file);
        expect(read.metadata).toEqual(notes);
        expect(new Map(read.tensors)).toEqual(written);
        expect(serialize(new Map([...read.tensors].reverse()), read.metadata)).toEqual(file);
      }),
    );
  });

  /** Tensors in order of their places fill the file from the header to the end, each with the bytes it says. */
  function expectCovered(file: Uint8Array): void {
    const { tensors: places, dataOffset } = parseHeader(file, file.length, "fuzz");
    let end = dataOffset;
    for (const { dtype, shape, offset, byteLength } of places.values()) {
      expect(offset).toBe(end);
      expect(byteLength).toBe(tensorBytes(dtype, shape));
      end += byteLength;
    }
    expect(end).toBe(file.length);
  }

  test("a file with changed, added or missing bytes is refused as a damaged file or lies within its bounds", () => {
    const edit = fc.record({ at: fc.nat(), remove: fc.nat(4), insert: fc.uint8Array({ maxLength: 4 }) });
    const digit = fc.record({
      at: fc.nat(),
      remove: fc.constant(1),
      insert: fc.constantFrom(...'0123456789-e.,[]{}"').map((text) => new TextEncoder().encode(text)),
    });
    fc.assert(
      fc.property(
        tensors,
        fc.array(fc.oneof(edit, digit), { minLength: 1, maxLength: 4 }),
        (written, edits) => {
          let file = serialize(written);
          for (const { at, remove, insert } of edits) {
            const start = at % (file.length + 1);
            file = Uint8Array.of(...file.subarray(0, start), ...insert, ...file.subarray(start + remove));
          }
          try {
            expectCovered(file);
          } catch (error) {
            if (!(error instanceof QkvError)) throw error;
            expect(error.code).toBe("file");
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("a header of any JSON is refused as a damaged file or lies within its bounds", () => {
    const offset = fc.oneof(fc.nat(20), fc.constantFrom(-1, 0.5, 2 ** 53, 1e300));
    const place = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom(...storedDtypes), fc.constantFrom("F4", "", null)),
        shape: fc.oneof(fc.array(fc.oneof(fc.nat(4), offset), { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(offset, offset), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.dictionary(fc.string(), fc.oneof({ weight: 9, arbitrary: place }, fc.jsonValue()), {
      maxKeys: 3,
    });
    fc.assert(
      fc.property(header, fc.nat(40), (fields, dataBytes) => {
        const file = fileOf(JSON.stringify(fields), new Uint8Array(dataBytes));
        try {
          expectCovered(file);
        } catch (error) {
          if (!(error instanceof QkvError)) throw error;
          expect(error.code).toBe("file");
        }
      }),
      { numRuns: 3000 },
    );
  });
});
