import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type PrepareTokensOptions, prepareTokens } from "../../../../src/data/node/prepare-tokens.ts";
import { openTokenStore } from "../../../../src/data/node/token-store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-tokens-"));
  writeFileSync(path("input.txt"), "content");
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (name: string): string => join(folder, name);

const columns = {
  ids: { bound: 1000 },
  labels: { bound: 9, least: -100 },
  scores: { type: "float32" },
} as const;
type Column = keyof typeof columns;

const two = [
  { ids: [1, 2, 999], labels: [-100, 8], scores: [0.5] },
  { ids: [], labels: [0], scores: [-1e30, 3] },
];

function optionsFor(more: Partial<PrepareTokensOptions<Column>> = {}): PrepareTokensOptions<Column> {
  return {
    folder: path("store"),
    inputs: [path("input.txt")],
    settings: { tokenizer: "a" },
    columns,
    examples: () => two,
    ...more,
  };
}

/** The message of the error that preparing ends with, the temporary folder's name taken out. */
async function failure(more: Partial<PrepareTokensOptions<Column>>): Promise<string> {
  const before = readdirSync(folder);
  const error = await prepareTokens(optionsFor(more)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "QkvError" });
  expect(readdirSync(folder), "nothing half-written is left").toEqual(before);
  return (error as Error).message.replaceAll(`${folder}/`, "");
}

describe("prepareTokens", () => {
  test.each([
    undefined,
    0,
  ])("columns of every kind, from memory and from the file (%s)", async (residentBytes) => {
    const report = { rows: 3, skipped: [1] };
    const prepared = await prepareTokens(optionsFor({ report: () => report }));
    expect(prepared).toMatchObject({ folder: path("store"), length: 2, report, reused: false });
    const store = openTokenStore(path("store"), residentBytes === undefined ? {} : { residentBytes });
    expect(store).toMatchObject({ length: 2, fingerprint: prepared.fingerprint, report });
    expect(store.columns).toEqual(["ids", "labels", "scores"]);
    expect([store.boundOf("ids"), store.boundOf("scores")]).toEqual([1000, null]);
    expect(store.values("ids", 0)).toEqual(Uint16Array.of(1, 2, 999));
    expect(store.values("ids", 1)).toEqual(Uint16Array.of());
    expect(store.values("labels", 0)).toEqual(Int16Array.of(-100, 8));
    expect(store.values("scores", 1)).toEqual(Float32Array.of(-1e30, 3));
    expect([store.lengthOf("ids", 0), store.lengthOf("scores", 1)]).toEqual([3, 2]);
    const ids = store.column("ids");
    expect([ids.length, ids.total, ids.offsetOf(1)]).toEqual([2, 3, 3]);
    expect(ids.values(0, 1)).toEqual(Uint16Array.of(2, 999));
    expect(ids.values(0, 1, 2)).toEqual(Uint16Array.of(2));
    expect(store.column("labels").range(1, 3)).toEqual(Int16Array.of(8, 0));
    expect(() => store.column("label")).toThrow(
      /columns are ids, labels, scores; got "label" \(did you mean "labels"\?\)/,
    );
    store.dispose();
    store.dispose();
    if (residentBytes === 0) expect(() => store.values("ids", 0)).toThrow(/was closed/);
  });

  test("takes two bytes or four, for numbers and lengths", async () => {
    const long = Array.from({ length: 70_000 }, (_, index) => index % 7);
    const wide = {
      short: { bound: 7, longest: 65_535 },
      long: { bound: 65_537 },
      deep: { bound: 1, least: -40_000 },
      high: { bound: 2 ** 32 },
    };
    const example = { short: [6], long: [...long, 65_536], deep: [-40_000, 0], high: [2 ** 32 - 1] };
    await prepareTokens({
      folder: path("store"),
      inputs: [],
      settings: null,
      columns: wide,
      examples: () => [example],
    });
    const store = openTokenStore(path("store"));
    expect(store.lengthOf("long", 0)).toBe(70_001);
    expect(store.values("long", 0).at(-1)).toBe(65_536);
    expect(store.values("short", 0)).toEqual(Uint16Array.of(6));
    expect(store.values("deep", 0)).toEqual(Int32Array.of(-40_000, 0));
    expect(store.values("high", 0)).toEqual(Uint32Array.of(2 ** 32 - 1));
  });

  test("examples that come by and by, and rows that give none", async () => {
    const done: number[] = [];
    async function* examples() {
      yield undefined;
      for (const example of two) yield await Promise.resolve(example);
      yield undefined;
    }
    const prepared = await prepareTokens(optionsFor({ examples, onProgress: (count) => done.push(count) }));
    expect([prepared.length, done.at(-1)]).toEqual([2, 4]);
  });

  test("starts at once with an unchanged input, anew with a changed one", async () => {
    let made = 0;
    const options = optionsFor({
      examples: () => {
        made++;
        return two;
      },
      report: () => made,
    });
    const first = await prepareTokens(options);
    expect(await prepareTokens(options)).toEqual({ ...first, reused: true });
    utimesSync(path("input.txt"), 1, 1);
    expect(await prepareTokens(options)).toEqual({ ...first, reused: true });
    expect(made).toBe(1);
    const others: Partial<PrepareTokensOptions<Column>>[] = [
      { settings: { tokenizer: "b" } },
      { columns: { ...columns, ids: { bound: 1001 } } },
      { inputs: [path("input.txt"), path("input.txt")] },
    ];
    for (const more of others) {
      const changed = await prepareTokens({ ...options, ...more });
      expect(changed.reused).toBe(false);
      expect(changed.fingerprint).not.toBe(first.fingerprint);
    }
    await prepareTokens(options);
    writeFileSync(path("input.txt"), "CONTENT");
    utimesSync(path("input.txt"), 2, 2);
    expect(await prepareTokens(options)).toMatchObject({ reused: false });
    truncateSync(path("store/labels.tokens"), 2);
    expect(await prepareTokens(options)).toMatchObject({ reused: false });
    expect(readdirSync(folder).sort()).toEqual(["input.txt", "store"]);
  });

  test.each<[string, Partial<PrepareTokensOptions<Column>>, RegExp]>([
    [
      "an id beyond the vocabulary",
      { examples: () => [{ ...two[0]!, ids: [1000] }] },
      /^example 0: ids: token ids must be whole numbers from 0 to 999; got 1000; check/,
    ],
    ["a broken id", { examples: () => [two[0]!, { ...two[0]!, ids: [1.5] }] }, /^example 1: ids: .*got 1.5;/],
    ["no number", { examples: () => [{ ...two[0]!, ids: [Number.NaN] }] }, /got NaN;/],
    [
      "a label",
      { examples: () => [{ ...two[0]!, labels: [-101] }] },
      /labels: labels must be whole numbers from -100 to 8; got -101/,
    ],
    [
      "an infinite score",
      { examples: () => [{ ...two[0]!, scores: [1e39] }] },
      /scores: must be finite numbers in single precision; got 1e\+39/,
    ],
    [
      "a place",
      { examples: () => [{ ...two[0]!, ids: [-1] }], placeOf: (column) => `a.csv:7: ${column}` },
      /^a.csv:7: ids: /,
    ],
    [
      "too long an example",
      { columns: { ...columns, ids: { bound: 1000, longest: 2 } } },
      /^example 0: ids: must have at most 2 numbers; got 3/,
    ],
    [
      "a missing column",
      { examples: () => [{ ids: [1], labels: [1] } as never] },
      /must have the columns ids, labels, scores; got no "scores"/,
    ],
    [
      "another column",
      { examples: () => [{ ...two[0]!, label: [1] }] },
      /got "label" \(did you mean "labels"\?\)/,
    ],
    [
      "no example",
      { examples: () => [undefined] },
      /^store: at least one example must be left for training; got none of 1 rows/,
    ],
    ["a missing input", { inputs: ["none.txt"] }, /^none.txt: cannot read; there is no/],
    ["a folder as input", { inputs: ["."] }, /it is a folder/],
    [
      "a column without room",
      { columns: { ...columns, ids: { bound: 0 } } },
      /ids: bound must be above least, 0; got 0/,
    ],
    [
      "a column too wide",
      { columns: { ...columns, ids: { bound: 2 ** 33 } } },
      /ids: must be whole numbers of 32 bits/,
    ],
    [
      "a column too wide, with sign",
      { columns: { ...columns, ids: { bound: 2 ** 32, least: -1 } } },
      /ids: must be whole/,
    ],
    [
      "no length",
      { columns: { ...columns, ids: { bound: 9, longest: 0 } } },
      /ids: longest must be a whole number, 1/,
    ],
    [
      "a name",
      { columns: { ...columns, ...{ "a/b": { bound: 9 } } } },
      /a name must be a letter .*; got "a\/b"/,
    ],
  ])("refuses %s", async (_, more, message) => {
    expect(await failure(more)).toMatch(message);
  });

  test("an input that changes meanwhile", async () => {
    const examples = () => {
      writeFileSync(path("input.txt"), "more content");
      return two;
    };
    expect(await failure({ examples })).toMatch(/^input.txt: must not change while they are read/);
  });

  test("never replaces a folder that holds other files", async () => {
    mkdirSync(path("store"));
    writeFileSync(path("store/thesis.txt"), "five years of work");
    expect(await failure({})).toMatch(
      /^store: a prepared corpus needs a folder of its own; got one that holds thesis/,
    );
  });

  test("stops when asked to, closes what makes the examples, and leaves what was there", async () => {
    await prepareTokens(optionsFor());
    let isClosed = false;
    const stop = new AbortController();
    function* endless() {
      try {
        for (let count = 0; ; count++) {
          if (count === 1000) stop.abort();
          yield two[0];
        }
      } finally {
        isClosed = true;
      }
    }
    const stopped = { settings: "other", examples: endless, signal: stop.signal };
    expect(await failure(stopped)).toBe("store: preparing the corpus was stopped; nothing was written");
    expect([isClosed, openTokenStore(path("store")).length]).toEqual([true, 2]);
  });

  test("what a killed program left is cleared up", async () => {
    mkdirSync(path(".store.999999999-0-0.partial"));
    writeFileSync(path(".store.999999999-0-0.partial/ids.tokens"), "ab");
    await prepareTokens(optionsFor());
    expect(existsSync(path(".store.999999999-0-0.partial"))).toBe(false);
  });
});

test("what was written is read, whatever it is", async () => {
  const whole = fc.array(fc.integer({ min: -5, max: 70_000 }), { maxLength: 12 });
  const example = fc.record({
    a: whole,
    b: fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(example, { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      async (examples, isResident) => {
        rmSync(path("store"), { recursive: true, force: true });
        await prepareTokens({
          folder: path("store"),
          inputs: [],
          settings: null,
          columns: { a: { bound: 70_001, least: -5 }, b: { type: "float32" } },
          examples: () => examples,
        });
        const store = openTokenStore(path("store"), { residentBytes: isResident ? 1e6 : 0 });
        const read = examples.map((_, index) => ({
          a: [...store.values("a", index)],
          b: [...store.values("b", index)],
        }));
        expect(read).toEqual(examples);
        const flat = examples.flatMap(({ a }) => a);
        expect([...store.column("a").range(0, flat.length)]).toEqual(flat);
        store.dispose();
      },
    ),
    { numRuns: 50 },
  );
});
