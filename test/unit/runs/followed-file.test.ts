import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FollowedFile } from "../../../src/runs/node/followed-file.ts";

const folder = mkdtempSync(join(tmpdir(), "qkv-followed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (path: string) =>
  new FollowedFile<string>(path, (text, where, firstLine) => ({
    records: text.trimEnd().split("\n"),
    problems: [`${where === path}:${firstLine}`],
  }));

test("gives lines when they are whole, and counts them", async () => {
  const path = join(folder, "a");
  const file = open(path);
  expect(await file.poll()).toBe(false);
  writeFileSync(path, "one\ntwö");
  expect(await file.poll()).toBe(true);
  expect(file.records).toEqual(["one"]);
  expect(await file.poll()).toBe(false);
  appendFileSync(path, "!\nthree\nfo");
  expect(await file.poll()).toBe(true);
  expect(file.records).toEqual(["one", "twö!", "three"]);
  expect(file.problems).toEqual(["true:1", "true:2"]);
});

test("begins again where the file was replaced, cut or removed", async () => {
  const path = join(folder, "b");
  writeFileSync(path, "one\ntwo\n");
  const file = open(path);
  await file.poll();
  writeFileSync(`${path}.new`, "other\nlines\nand more\n");
  renameSync(`${path}.new`, path);
  expect(await file.poll()).toBe(true);
  expect(file.records).toEqual(["other", "lines", "and more"]);
  truncateSync(path, 6);
  expect(await file.poll()).toBe(true);
  expect(file.records).toEqual(["other"]);
  rmSync(path);
  expect(await file.poll()).toBe(true);
  expect(file.problems).toHaveLength(1);
  expect(await file.poll()).toBe(false);
});
