import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { QkvError } from "../../../src/util/errors.ts";
import {
  createTemporaryFolder,
  removeLeftovers,
  replaceFolderAtomically,
  writeFileAtomically,
} from "../../../src/util/node/atomic-file.ts";

let folder: string;
const path = (...names: string[]) => join(folder, ...names);
const names = () => readdirSync(folder).sort();
const textOf = (...parts: string[]) => readFileSync(path(...parts), "utf8");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-atomic-"));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

/** A folder with one file. */
function makeFolder(name: string, text: string): string {
  mkdirSync(path(name));
  writeFileSync(path(name, "file"), text);
  return path(name);
}

/** The number of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

describe("writeFileAtomically", () => {
  test("writes text, bytes and pieces, and leaves nothing else", async () => {
    await writeFileAtomically(path("text"), "grün");
    await writeFileAtomically(path("bytes"), Uint8Array.of(0, 255));
    await writeFileAtomically(path("pieces"), [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
    expect(textOf("text")).toBe("grün");
    expect([...readFileSync(path("bytes"))]).toEqual([0, 255]);
    expect([...readFileSync(path("pieces"))]).toEqual([1, 2, 3]);
    expect(names()).toEqual(["bytes", "pieces", "text"]);
  });

  test("replaces a file and keeps who may read it", async () => {
    writeFileSync(path("file"), "old, and longer");
    chmodSync(path("file"), 0o600);
    await writeFileAtomically(path("file"), "new");
    expect(textOf("file")).toBe("new");
    expect(statSync(path("file")).mode & 0o777).toBe(0o600);
  });

  test("a failure while writing leaves the old file and nothing beside it", async () => {
    writeFileSync(path("file"), "old");
    function* failing(): Generator<Uint8Array> {
      yield Uint8Array.of(1);
      throw new Error("the source broke");
    }
    await expect(writeFileAtomically(path("file"), failing())).rejects.toThrow("the source broke");
    expect(textOf("file")).toBe("old");
    expect(names()).toEqual(["file"]);
  });

  test("follows a link: what it names is replaced", async () => {
    writeFileSync(path("target"), "old");
    symlinkSync("target", path("link"));
    await writeFileAtomically(path("link"), "new");
    expect(readlinkSync(path("link"))).toBe("target");
    expect(textOf("target")).toBe("new");
  });

  test("refuses what it would destroy or cannot reach, and names the path", async () => {
    mkdirSync(path("folder"));
    for (const bad of [path("folder"), path("missing", "file"), "/dev/null"]) {
      const error = await writeFileAtomically(bad, "x").catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(QkvError);
      expect(error).toMatchObject({ code: "file", message: expect.stringContaining(`${bad}: `) });
    }
    expect(names()).toEqual(["folder"]);
  });

  test("many writers of one file at once leave the content of one of them", async () => {
    const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(5000));
    await Promise.all(texts.map((text) => writeFileAtomically(path("file"), text)));
    expect(texts).toContain(textOf("file"));
    expect(names()).toEqual(["file"]);
  });
});

describe("replaceFolderAtomically", () => {
  test("puts a folder where none was, and in the place of one", async () => {
    for (const text of ["first", "second"]) {
      const temporary = await createTemporaryFolder(path("best"));
      expect(names().filter((name) => name.endsWith(".partial"))).toHaveLength(1);
      writeFileSync(join(temporary, "file"), text);
      mkdirSync(join(temporary, "inner"));
      writeFileSync(join(temporary, "inner", text), "");
      await replaceFolderAtomically(temporary, path("best"));
      expect(names()).toEqual(["best"]);
      expect(textOf("best", "file")).toBe(text);
      expect(readdirSync(path("best", "inner"))).toEqual([text]);
    }
  });

  test("makes the folders above", async () => {
    await replaceFolderAtomically(await createTemporaryFolder(path("a", "b", "c")), path("a", "b", "c"));
    expect(statSync(path("a", "b", "c")).isDirectory()).toBe(true);
  });

  test("keeps the old folder where there is no new one", async () => {
    makeFolder("best", "old");
    await expect(replaceFolderAtomically(path("missing"), path("best"))).rejects.toThrow(QkvError);
    expect(textOf("best", "file")).toBe("old");
  });

  test("does not replace a file", async () => {
    writeFileSync(path("best"), "a file");
    const temporary = await createTemporaryFolder(path("best"));
    await expect(replaceFolderAtomically(temporary, path("best"))).rejects.toThrow("must be a folder");
    expect(textOf("best")).toBe("a file");
  });
});

describe("removeLeftovers", () => {
  test("removes what ended processes were writing and nothing else", async () => {
    const ended = endedProcess();
    writeFileSync(path(`.log.jsonl.${ended}-0-3.partial`), "half");
    makeFolder(`.step-100.${ended}-2-17.partial`, "half");
    writeFileSync(path(`.file.${process.pid}-0-1.partial`), "of this process");
    writeFileSync(path(`.file.${process.ppid}-0-1.partial`), "of a running process");
    for (const other of [".hidden", "step-100", ".x.partial", "a.1-0-0.partial"])
      writeFileSync(path(other), "");
    const cleared = await removeLeftovers(folder);
    expect(cleared.sort()).toEqual([`.log.jsonl.${ended}-0-3.partial`, `.step-100.${ended}-2-17.partial`]);
    expect(names()).toHaveLength(6);
  });

  test("moves a folder back whose successor never came", async () => {
    const ended = endedProcess();
    makeFolder(`.best.v1.${ended}-0-1.previous`, "old");
    makeFolder(`.best.v1.${ended}-0-0.partial`, "new");
    await removeLeftovers(folder);
    expect(names()).toEqual(["best.v1"]);
    expect(textOf("best.v1", "file")).toBe("old");
  });

  test("removes a folder that was replaced", async () => {
    makeFolder(`.best.${endedProcess()}-0-1.previous`, "old");
    makeFolder("best", "new");
    await removeLeftovers(folder);
    expect(names()).toEqual(["best"]);
    expect(textOf("best", "file")).toBe("new");
  });

  test("a number of a process that is used again does not keep old leftovers", async () => {
    writeFileSync(path(`.mine.${process.pid}-0-1.partial`), "");
    writeFileSync(path(`.theirs.${process.ppid}-0-1.partial`), "");
    vi.useFakeTimers({ now: Date.now() + process.uptime() * 1000 + 60_000, toFake: ["Date"] });
    await removeLeftovers(folder);
    expect(names()).toEqual([`.theirs.${process.ppid}-0-1.partial`]);
    vi.setSystemTime(Date.now() + 61 * 60 * 1000);
    await removeLeftovers(folder);
    expect(names()).toEqual([]);
  });

  test("a folder that does not exist has none", async () => {
    expect(await removeLeftovers(path("missing"))).toEqual([]);
    expect(existsSync(path("missing"))).toBe(false);
  });
});
