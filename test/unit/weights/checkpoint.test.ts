import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QkvError } from "../../../src/util/errors.ts";
import { openCheckpoint } from "../../../src/weights/node/checkpoint.ts";
import {
  readFloat32Tensors,
  readSafetensorsHeader,
  readTensors,
  writeSafetensors,
} from "../../../src/weights/node/safetensors-file.ts";
import { parse } from "../../../src/weights/safetensors.ts";
import type { StoredTensor } from "../../../src/weights/stored-tensor.ts";
import { hasShared, needsShared, sharedPath } from "../../shared.ts";

let folder: string;
const path = (...names: string[]) => join(folder, ...names);

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "qkv-weights-")));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function float32(...values: number[]): StoredTensor {
  return { dtype: "F32", shape: [values.length], data: Float32Array.from(values) };
}

function writeIndex(weightMap: unknown): void {
  writeFileSync(
    path("model.safetensors.index.json"),
    JSON.stringify({ metadata: {}, weight_map: weightMap }),
  );
}

async function refusal(action: Promise<unknown>, code = "file"): Promise<string> {
  const error = await action.then(
    () => "accepted",
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(QkvError);
  expect((error as QkvError).code).toBe(code);
  return (error as QkvError).message;
}

describe("one file", () => {
  const tensors = new Map<string, StoredTensor>([
    ["weight", { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
    ["half", { dtype: "F16", shape: [3], data: Uint16Array.of(0x3c00, 0xc100, 0x7c00) }],
    ["brain", { dtype: "BF16", shape: [1], data: Uint16Array.of(0xc020) }],
    ["ids", { dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) }],
    ["empty", { dtype: "F32", shape: [0, 7], data: new Float32Array(0) }],
  ]);

  test("is written whole and read by header, by name and as float32", async () => {
    await writeSafetensors(path("model.safetensors"), tensors);
    const { tensors: places, metadata, path: found } = await openCheckpoint(folder);
    expect(found).toBe(path("model.safetensors"));
    expect(metadata).toEqual({ format: "pt" });
    expect([...places.keys()]).toEqual(["ids", "empty", "weight", "brain", "half"]);

    const read = await readTensors(places);
    for (const [name, { dtype, shape, data }] of tensors) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      expect(read.get(name)).toEqual({ dtype, shape, data: bytes });
    }
    const values = await readFloat32Tensors(places, ["half", "weight", "brain", "empty"]);
    expect([...values.keys()].sort()).toEqual(["brain", "empty", "half", "weight"]);
    expect(values.get("weight")).toEqual({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    expect([...values.get("half")!.data]).toEqual([1, -2.5, Number.POSITIVE_INFINITY]);
    expect([...values.get("brain")!.data]).toEqual([-2.5]);
    expect(values.get("empty")).toEqual({ shape: [0, 7], data: new Float32Array(0) });
  });

  test("asks for known names and floating-point numbers", async () => {
    await writeSafetensors(path("model.safetensors"), tensors);
    const { tensors: places } = await openCheckpoint(path("model.safetensors"));
    expect(await refusal(readTensors(places, ["wieght"]), "weights")).toContain('did you mean "weight"?');
    expect(await refusal(readFloat32Tensors(places), "weights")).toMatch(
      /model\.safetensors: tensor "ids": .* got I64/,
    );
  });

  test("through links, as a hub cache keeps them, gives the real path", async () => {
    mkdirSync(path("blobs"));
    mkdirSync(path("snapshot"));
    await writeSafetensors(path("blobs", "0123abcd"), tensors);
    symlinkSync("../blobs/0123abcd", path("snapshot", "model.safetensors"));
    const { tensors: places } = await openCheckpoint(path("snapshot"));
    expect(places.get("weight")!.file).toBe(path("blobs", "0123abcd"));
    expect((await readFloat32Tensors(places, ["weight"])).get("weight")!.data).toEqual(
      Float32Array.of(1, 2, 3, 4),
    );
  });

  test("offsets count from the start of the file", async () => {
    await writeSafetensors(path("x.safetensors"), tensors);
    const { tensors: places } = await readSafetensorsHeader(path("x.safetensors"));
    const { offset } = places.get("weight")!;
    expect(readFileSync(path("x.safetensors")).readFloatLE(offset + 4)).toBe(2);
  });

  test("that cannot be read is named", async () => {
    writeFileSync(path("cut.safetensors"), "abc");
    mkdirSync(path("folder.safetensors"));
    symlinkSync("nowhere", path("broken.safetensors"));
    expect(await refusal(openCheckpoint(path("cut.safetensors")))).toMatch(
      /cut\.safetensors: .* got 3 bytes/,
    );
    expect(await refusal(readSafetensorsHeader(path("folder.safetensors")))).toContain("got a folder");
    expect(await refusal(openCheckpoint(path("broken.safetensors")))).toContain("there is no such file");
    expect(await refusal(openCheckpoint(path("missing")))).toContain(
      "missing: cannot read; there is no such",
    );
  });

  test("that shrank after its header was read is no silent zero", async () => {
    await writeSafetensors(path("model.safetensors"), tensors);
    const { tensors: places } = await openCheckpoint(folder);
    writeFileSync(path("model.safetensors"), "");
    expect(await refusal(readTensors(places))).toContain("ended while it was read");
  });
});

describe("several files with an index", () => {
  const first = "model-00001-of-00002.safetensors";
  const second = "model-00002-of-00002.safetensors";

  async function writeShards(): Promise<void> {
    await writeSafetensors(path(first), new Map(Object.entries({ a: float32(1), b: float32(2) })));
    await writeSafetensors(path(second), new Map([["c", float32(3)]]));
  }

  test("are read as one", async () => {
    await writeShards();
    writeIndex({ a: first, b: first, c: second });
    for (const start of [folder, path("model.safetensors.index.json")]) {
      const { tensors, metadata } = await openCheckpoint(start);
      expect(metadata).toEqual({ format: "pt" });
      expect(basename(tensors.get("c")!.file)).toBe(second);
      const values = await readFloat32Tensors(tensors);
      expect(["a", "b", "c"].map((name) => values.get(name)!.data[0])).toEqual([1, 2, 3]);
    }
  });

  test("missing files are all listed", async () => {
    writeIndex({ a: first, b: first, c: second });
    expect(await refusal(openCheckpoint(folder))).toContain(`got 2 of 2 missing: ${first}, ${second}`);
  });

  test("a tensor that is not in the file named for it is an error", async () => {
    await writeShards();
    writeIndex({ a: first, b: first, c: first, d: second });
    expect(await refusal(openCheckpoint(folder))).toContain(
      `got 2 that do not: "c" in ${first}, "d" in ${second}`,
    );
  });

  test("a tensor in two files is the one that the index names; unlisted in two is an error", async () => {
    await writeShards();
    await writeSafetensors(path(second), new Map(Object.entries({ b: float32(9), c: float32(3) })));
    writeIndex({ a: first, b: first, c: second });
    const { tensors } = await openCheckpoint(folder);
    expect((await readFloat32Tensors(tensors, ["b"])).get("b")!.data[0]).toBe(2);
    writeIndex({ a: first, c: second });
    expect(await refusal(openCheckpoint(folder))).toContain(`"b" in ${first} and ${second}`);
  });

  test("an index that leads elsewhere or is damaged is refused", async () => {
    for (const outside of ["../other.safetensors", "/etc/passwd", "a/b.safetensors", "x.bin", 3, null]) {
      writeIndex({ a: outside });
      expect(await refusal(openCheckpoint(folder))).toContain(
        '"a" must name a .safetensors file beside the index',
      );
    }
    writeIndex(["a"]);
    expect(await refusal(openCheckpoint(folder))).toContain('must have a "weight_map"');
    writeFileSync(path("model.safetensors.index.json"), "{");
    expect(await refusal(openCheckpoint(folder))).toContain("must be JSON");
  });
});

describe("a folder without safetensors", () => {
  test("with PyTorch's format tells how to get the other", async () => {
    writeFileSync(path("pytorch_model.bin"), "");
    for (const start of [folder, path("pytorch_model.bin")]) {
      const message = await refusal(openCheckpoint(start));
      expect(message).toContain("pytorch_model.bin: weights must be in safetensors format");
      expect(message).toContain("torch.load('pytorch_model.bin', weights_only=True)");
    }
  });

  test("names what it has instead", async () => {
    expect(await refusal(openCheckpoint(folder))).toContain("got 0 other files");
    writeFileSync(path("adapter_model.safetensors"), "");
    expect(await refusal(openCheckpoint(folder))).toContain(
      "got adapter_model.safetensors; name one of these",
    );
  });
});

describe(`golden checkpoints${needsShared}`, { skip: !hasShared }, () => {
  test("in four float16 files are read as one, every value of it", async () => {
    const { tensors } = await openCheckpoint(sharedPath("goldens/gpt2/f16_sharded"));
    const values = await readFloat32Tensors(tensors);
    expect([...values.values()].reduce((sum, { data }) => sum + data.length, 0)).toBe(30_752);
    for (const { data } of values.values()) expect(data.every(Number.isFinite)).toBe(true);
  });

  test("are rewritten byte for byte through files", async () => {
    for (const name of ["default", "paper", "prenorm_gelu"]) {
      const source = sharedPath(`goldens/torch_transformer/${name}/model.safetensors`);
      const { tensors, metadata } = await openCheckpoint(source);
      await writeSafetensors(path("copy.safetensors"), await readTensors(tensors), metadata);
      expect(Buffer.compare(readFileSync(path("copy.safetensors")), readFileSync(source))).toBe(0);
      expect(parse(readFileSync(source)).tensors.size).toBe(tensors.size);
    }
  });
});
