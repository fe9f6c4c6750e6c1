import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LineReader, readLines, surveyTextFile } from "../../../../src/data/node/line-reader.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-lines-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string | Uint8Array): string {
  const path = join(folder, "text");
  writeFileSync(path, content);
  return path;
}

const linesOf = (content: string | Uint8Array): string[] => [...readLines(file(content))];

describe("readLines", () => {
  test.each([
    ["an empty file", "", []],
    ["one line without a line break", "a", ["a"]],
    ["a line break at the end makes no further line", "a\nb\n", ["a", "b"]],
    ["empty lines", "\n\na\n\n", ["", "", "a", ""]],
    ["\\r before \\n is dropped, once", "a\r\nb\r\r\nc\r", ["a", "b\r", "c"]],
    ["\\r alone does not end a line", "a\rb\n", ["a\rb"]],
    ["other line breaks of Unicode stay", "a\u2028b\u0085c\fd\n", ["a\u2028b\u0085c\fd"]],
    ["a byte order mark at the start is dropped", "\uFEFFa\n\uFEFFb\n", ["a", "\uFEFFb"]],
    ["a file of a byte order mark only", "\uFEFF", []],
    ["a replacement character that was written as such", "a\uFFFDb\n", ["a\uFFFDb"]],
    ["a zero byte is a character", "a\0b\n", ["a\0b"]],
  ])("%s", (_, content, expected) => {
    expect(linesOf(content)).toEqual(expected);
    expect(surveyTextFile(file(content)).lines).toBe(expected.length);
  });

  test("lines and characters that lie across the blocks it reads", () => {
    const lines = Array.from({ length: 5000 }, (_, index) => "äß€😀".repeat((index * 7919) % 97));
    lines[2500] = "ö".repeat(700_000);
    expect(linesOf(lines.join("\n"))).toEqual(lines);
  });

  test("closes the file when a loop is left early", () => {
    for (let round = 0; round < 5000; round++) {
      for (const line of readLines(file("a\nb\n"))) {
        expect(line).toBe("a");
        break;
      }
    }
  });

  test("an invalid byte is an error with its line, after the lines before it", () => {
    const path = file(
      Buffer.concat([Buffer.from("good\n\uFFFD gr"), Buffer.from([0xfc]), Buffer.from("n\n")]),
    );
    const reader = new LineReader(path);
    expect(reader.next()).toBe("good");
    expect(() => reader.next()).toThrow(
      "text: line 2: not valid UTF-8; got byte 0xFC at position 7 of the line; " +
        "convert the file to UTF-8, for example with iconv -f latin1 -t utf-8",
    );
    reader.dispose();
  });

  test("a character that is cut off by the end of the line", () => {
    expect(() => linesOf(Buffer.from([0x61, 0xc3, 0x0a, 0xa4, 0x0a]))).toThrow(
      /line 1: not valid UTF-8; got byte 0xC3 at position 2/,
    );
  });

  test.each([
    ["gzip", [0x1f, 0x8b, 8, 0], "gunzip"],
    ["UTF-16", [0xff, 0xfe, 0x61, 0], "iconv -f utf-16"],
    ["zip", [0x50, 0x4b, 3, 4, 0xff], "unzip"],
  ])("says what it is where the file looks like %s", (_, bytes, wayOut) => {
    expect(() => linesOf(Uint8Array.from(bytes))).toThrow(wayOut);
  });

  test("a line beyond 64 MiB", () => {
    expect(() => linesOf(Buffer.alloc(64 * 1024 * 1024 + 1, 0x61))).toThrow(
      /line 1: a line may have at most/,
    );
  });

  test("a missing file and a folder", () => {
    expect(() => new LineReader(join(folder, "none"))).toThrow(/none: cannot read; there is no such file/);
    expect(() => new LineReader(folder)).toThrow(/cannot read; it is a folder/);
    expect(() => surveyTextFile(folder)).toThrow(/cannot read; it is a folder/);
  });
});

test("surveyTextFile hashes the file's bytes", () => {
  expect(surveyTextFile(file("abc"))).toEqual({
    lines: 1,
    bytes: 3,
    sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  });
});
