import { PassThrough } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { readInputLines } from "../../../src/cli/text-files.ts";

const reader = (most: number) => {
  const stream = new PassThrough();
  return { stream, chunks: readInputLines(most, { input: stream as unknown as NodeJS.ReadStream }) };
};

async function collect(pieces: readonly (string | Uint8Array)[], most = 100): Promise<string[][]> {
  const { stream, chunks } = reader(most);
  for (const piece of pieces) stream.write(piece);
  stream.end();
  const all: string[][] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

test("lines are put together from pieces, characters too", async () => {
  const [grinning] = [Buffer.from("😀")];
  const chunks = await collect(["a\r\nb", "c\n\n", grinning.subarray(0, 2), grinning.subarray(2), "\nlast"]);
  expect(chunks.flat()).toEqual(["a", "bc", "", "😀", "last"]);
});

test("a byte order mark at the start is dropped, other line breaks of Unicode stay", async () => {
  expect((await collect(["\uFEFFa\u2028b\n\uFEFFc\n"])).flat()).toEqual(["a\u2028b", "\uFEFFc"]);
});

test("no input is no line", async () => {
  expect(await collect([])).toEqual([]);
});

test("at most so many at a time", async () => {
  const chunks = await collect([Array.from({ length: 10 }, (_, line) => `${line}\n`).join("")], 4);
  expect(chunks.map((chunk) => chunk.length)).toEqual([4, 4, 2]);
});

test("what is there is not kept waiting for more", async () => {
  const { stream, chunks } = reader(100);
  stream.write("first\n");
  expect((await chunks.next()).value).toEqual(["first"]);
  stream.write("second\nthi");
  await wait(10);
  stream.write("rd\n");
  expect((await chunks.next()).value).toEqual(["second", "third"]);
  stream.end();
  expect((await chunks.next()).done).toBe(true);
});

test("invalid UTF-8 is told with its line", async () => {
  await expect(collect(["ok\n", Buffer.from([0x66, 0xfc, 10])])).rejects.toThrow(
    "standard input: line 2: is not valid UTF-8",
  );
});
