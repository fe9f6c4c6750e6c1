import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  describeRecordReport,
  type ReadOptions,
  type RecordReader,
  readRecords,
} from "../../../../src/data/node/records.ts";
import type { FieldTypes } from "../../../../src/data/record-fields.ts";
import { hasShared, needsShared, sharedPath } from "../../../shared.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-records-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function all<Types extends FieldTypes>(reader: RecordReader<Types>) {
  const records = [];
  for await (const record of reader) records.push(record);
  return records;
}

/** The fields of every record of a file with this content. */
async function read<const Types extends FieldTypes>(
  name: string,
  content: string | Uint8Array,
  options: ReadOptions<Types>,
) {
  return (await all(readRecords(fileOf(name, content), options))).map(({ fields }) => fields);
}

/** The message of the error that reading ends with, the temporary folder's name taken out. */
async function failure<const Types extends FieldTypes>(
  name: string,
  content: string | Uint8Array,
  options: ReadOptions<Types>,
): Promise<string> {
  const error = await read(name, content, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "QkvError" });
  return (error as Error).message.replaceAll(`${folder}/`, "");
}

/** What is reported of the rows that were left out, and the records that were not. */
async function skipping<const Types extends FieldTypes>(
  name: string,
  content: string | Uint8Array,
  options: ReadOptions<Types>,
) {
  const reader = readRecords(fileOf(name, content), { ...options, onBadRow: "skip" });
  const records = await all(reader);
  return {
    records: records.map(({ where, fields }) =>
      [where.replace(/^.*:/, ""), ...Object.values(fields)].join(" "),
    ),
    report: describeRecordReport(reader.report).replaceAll(`${folder}/`, ""),
    skipped: reader.report.skipped,
  };
}

const latin = (text: string) => Buffer.from(text, "latin1");
const review = { text: "text", label: "label" } as const;

describe("plain text", () => {
  test("a record a line", async () => {
    const records = await all(
      readRecords(fileOf("a.txt", "\uFEFFone\r\ntwo\n"), { fields: { text: "text" } }),
    );
    expect(records).toEqual([
      { where: join(folder, "a.txt:1"), fields: { text: "one" } },
      { where: join(folder, "a.txt:2"), fields: { text: "two" } },
    ]);
  });

  test("a document between blank lines", async () => {
    const text = "\n\none\ntwo\n \n\nthree";
    const reader = readRecords(fileOf("a.txt", text), { fields: { text: "text" }, unit: "document" });
    expect((await all(reader)).map(({ where, fields }) => [where.replace(/^.*:/, ""), fields.text])).toEqual([
      ["3", "one\ntwo"],
      ["7", "three"],
    ]);
  });

  test("the whole file, to the byte", async () => {
    const text = "\uFEFFone\r\n\ntwo\n\n";
    expect(await read("a.txt", text, { fields: { text: "text" }, unit: "file" })).toEqual([
      { text: text.slice(1) },
    ]);
    const broken = latin("one\nüwei\n");
    expect(await failure("a.txt", broken, { fields: { text: "text" }, unit: "file" })).toMatch(
      /^a.txt:2: not valid UTF-8; got byte 0xFC/,
    );
  });

  test("fields by other names, and other columns", async () => {
    expect(await read("a.txt", "one", { fields: { source: "text" }, columns: { source: "text" } })).toEqual([
      { source: "one" },
    ]);
    expect(await failure("a.txt", "one", { fields: { sentence: "text" } })).toMatchInlineSnapshot(
      `"a.txt: has no column "sentence"; got "text"; plain text has the one column "text"; map the field to it in data.columns, or name the format (data.format)"`,
    );
  });

  test("empty lines and invalid UTF-8 are bad rows", async () => {
    expect(await failure("a.txt", "one\n\n", { fields: { text: "text" } })).toMatchInlineSnapshot(
      `"a.txt:2: column "text" must hold a text that is not empty; got an empty one; mend the row, or have bad rows left out (train: --set on_bad_row=skip)"`,
    );
    const { records, report } = await skipping("a.txt", latin("one\n\nüwei\nthree\n \n"), {
      fields: { text: "text" },
    });
    expect(records).toEqual(["1 one", "4 three"]);
    expect(report).toMatchInlineSnapshot(
      `"a.txt: 2 records; left out 3 bad rows: a.txt:2: column "text" must hold a text that is not empty; got an empty one | a.txt:3: not valid UTF-8; got byte 0xFC at position 1 of the line; convert the file to UTF-8, for example with iconv -f latin1 -t utf-8 | a.txt:5: column "text" must hold a text that is not empty; got " ""`,
    );
    const documents = { fields: { text: "text" }, unit: "document" } as const;
    expect((await skipping("a.txt", latin("a\n\nb\nü\nc\n\nd"), documents)).records).toEqual(["1 a", "7 d"]);
  });

  test("a text field may be empty where it is a string", async () => {
    expect(await read("a.txt", "one\n\ntwo", { fields: { text: "string" } })).toHaveLength(3);
  });
});

describe("JSON lines", () => {
  test("parts of objects, as SQuAD's answers; a name with a dot is a name first", async () => {
    const line = '{"answers": {"text": ["a", "b"], "answer_start": [3, 9]}, "in.whole": 7}';
    const columns = {
      answers: ["answers.text", "answers"],
      start: "answers.answer_start",
      whole: "in.whole",
    };
    const fields = { answers: "strings", start: "numbers", whole: "integer" } as const;
    expect(await read("a.jsonl", line, { fields, columns })).toEqual([
      { answers: ["a", "b"], start: [3, 9], whole: 7 },
    ]);
    const plain = await read("a.jsonl", '{"answers": ["c"]}', {
      fields: { answers: "strings" },
      columns: { answers: ["answers.text", "answers"] },
    });
    expect(plain).toEqual([{ answers: ["c"] }]);
    expect(
      await failure("a.jsonl", line, { fields: { text: "strings" }, columns: { text: "answers.texts" } }),
    ).toMatch(/^a.jsonl:1: has no column "answers.texts"/);
  });

  test("types of every kind", async () => {
    const line = JSON.stringify({
      sentence: "good",
      label: 1,
      score: "-2.5e1",
      stars: 4,
      tokens: ["a", "b"],
      classes: [true, 2, "x"],
      numbers: [1, 2.5],
      tags: ["I-A", "I-A", "B-A", "O", "I-B"],
      more: { not: "asked for" },
    });
    const fields = {
      text: "text",
      label: "label",
      score: "number",
      stars: "integer",
      tokens: "strings",
      classes: "labels",
      numbers: "numbers",
      tags: "iob1",
    } as const;
    expect(await read("a.jsonl", `${line}\n\n`, { fields, columns: { text: "sentence" } })).toEqual([
      {
        text: "good",
        label: "1",
        score: -25,
        stars: 4,
        tokens: ["a", "b"],
        classes: ["true", "2", "x"],
        numbers: [1, 2.5],
        tags: ["B-A", "I-A", "B-A", "O", "B-B"],
      },
    ]);
  });

  test.each([
    ['{"text": "a"', /^a.jsonl:1: a line must be one JSON object; got invalid JSON {"text": "a";/],
    ['["a"]', /a line must be one JSON object; got \["a"\];/],
    ['{"txt": "a", "id": 3}', /^a.jsonl:1: has no column "text" \(did you mean "txt"\?\); got "txt", "id";/],
    ['{"text": 3}', /column "text" must hold a text that is not empty; got 3;/],
    ['{"text": null}', /column "text" must hold a text that is not empty; got no value;/],
    ['{"text": "  "}', /column "text" must hold a text that is not empty; got " {2}";/],
    [latin('{"text": "ü"}'), /^a.jsonl:1: not valid UTF-8/],
  ])("a bad row: %s", async (line, message) => {
    expect(await failure("a.jsonl", line, { fields: { text: "text" } })).toMatch(message);
    const whole = Buffer.concat([
      Buffer.from('{"text": "x"}\n'),
      Buffer.from(line),
      Buffer.from('\n{"text": "y"}'),
    ]);
    const { records, skipped } = await skipping("a.jsonl", whole, { fields: { text: "text" } });
    expect([records, skipped]).toEqual([["1 x", "3 y"], 1]);
  });

  test.each([
    ["label", "1.5"],
    ["label", '""'],
    ["number", '"1x"'],
    ["number", '""'],
    ["integer", "1.5"],
    ["integer", "9007199254740993"],
    ["strings", "[]"],
    ["strings", '["a", 1]'],
    ["labels", '["a", ""]'],
    ["numbers", '[1, "2"]'],
    ["numbers", "[1, null]"],
    ["iob1", '["I-"]'],
    ["iob1", '["X"]'],
    ["string", "1"],
  ] as const)("not a value of type %s: %s", async (type, value) => {
    const message = await failure("a.jsonl", `{"value": ${value}}`, { fields: { value: type } });
    expect(message).toMatch(/^a.jsonl:1: column "value" must hold .*; got .+; mend the row/);
  });

  test("only the first bad rows are named", async () => {
    const { report } = await skipping("a.jsonl", `{"text": "a"}\n${"[]\n".repeat(2000)}`, {
      fields: { text: "text" },
    });
    expect(report).toMatch(
      /^a.jsonl: 1 record; left out 2,000 bad rows: a.jsonl:2: .* \| a.jsonl:6: .* \| \.\.\.$/,
    );
  });

  test("a file without any good row", async () => {
    expect(await failure("a.jsonl", "", { fields: { text: "text" } })).toMatchInlineSnapshot(
      `"a.jsonl: must hold at least one good row; got an empty file; check the path"`,
    );
    const options = { fields: { text: "text" }, onBadRow: "skip" } as const;
    expect(await failure("a.jsonl", "{}\n{}", options)).toMatchInlineSnapshot(
      `"a.jsonl: must hold at least one good row; got 2 bad rows, the first at line 1; there, has no column "text"; got no columns"`,
    );
  });
});

describe("CSV and TSV", () => {
  test("quotes, line breaks within them, a byte order mark, CRLF", async () => {
    const csv =
      '\uFEFFid,"the ""text""",label\r\n1,"a, ""b""\r\nc",x\r\n2,it is 5" long,y\r\n\r\n3,"",z\r\n4,"""","q"';
    const reader = readRecords(fileOf("a.csv", csv), {
      fields: { text: "string", label: "label" },
      columns: { text: 'the "text"' },
    });
    expect(
      (await all(reader)).map(({ where, fields }) => [where.replace(/^.*:/, ""), fields.text, fields.label]),
    ).toEqual([
      ["2", 'a, "b"\nc', "x"],
      ["4", 'it is 5" long', "y"],
      ["6", "", "z"],
      ["7", '"', "q"],
    ]);
  });

  test("TSV: quotes are characters unless they are asked for", async () => {
    const tsv = 'label\ttext\n0\t"a" b\n1\t"c"\n';
    expect((await read("a.tsv", tsv, { fields: review })).map(({ text }) => text)).toEqual(['"a" b', '"c"']);
    expect(await failure("a.tsv", tsv, { fields: review, quotes: true })).toMatch(
      /^a.tsv:2: behind a closing quote/,
    );
    expect(await read("a.tsv", 'text\n"a\tb"\n', { fields: { text: "text" }, quotes: true })).toEqual([
      { text: "a\tb" },
    ]);
  });

  test("given column names", async () => {
    const columnNames = ["label", "title", "text"];
    expect(await read("a.csv", '"3","T","x"\n', { fields: review, columnNames })).toEqual([
      { text: "x", label: "3" },
    ]);
  });

  test("unknown columns: the nearest and all there are", async () => {
    const options = { fields: review, columns: { text: "sentense" } };
    expect(await failure("a.csv", "sentence,label\na,b\n", options)).toMatchInlineSnapshot(
      `"a.csv: has no column "sentense" (did you mean "sentence"?); got "sentence", "label"; map the field to one of them in the recipe's data.columns (train: --set columns='{"FIELD": "COLUMN"}'); where the file has no header, name its columns in data.column_names"`,
    );
    expect(await failure("a.csv", "text,text\na,b\n", { fields: { text: "text" } })).toMatch(
      /each column needs a name of its own; got "text" twice/,
    );
    expect(await failure("a.csv", "", { fields: review })).toMatch(
      /^a.csv:1: the first row must name the columns; got an/,
    );
    expect(await failure("a.csv", "text,label\n", { fields: review })).toMatch(/at least one good row/);
  });

  test("a bad row takes no good one with it", async () => {
    const csv = 'text,label\na,1\nb\n"c"d,1\n"e ""e",2,\n"f\ng","2"\n,3\n"h\n' + 'i"x,3\nj,"k\n",\nl,4\n';
    const { records, report } = await skipping("a.csv", csv, { fields: review });
    expect(records).toEqual(["2 a 1", "6 f\ng 2", "13 l 4"]);
    expect(report.split(" | ").map((part) => part.replace(/^.*: a.csv/, "a.csv"))).toEqual([
      "a.csv:3: a row must have 2 cells, as many as there are columns; got 1",
      'a.csv:4: behind a closing quote comes a separator or the row\'s end; got "d,1"',
      "a.csv:5: a row must have 2 cells, as many as there are columns; got 3",
      'a.csv:8: column "text" must hold a text that is not empty; got an empty one',
      'a.csv:9: behind a closing quote comes a separator or the row\'s end; got "x,3"',
      "...",
    ]);
  });

  test("invalid UTF-8 within a quoted cell of several lines", async () => {
    const csv = latin('text,label\n"a\nü\nb",1\nc,2\n');
    const { records, report } = await skipping("a.csv", csv, { fields: review });
    expect(records).toEqual(["5 c 2"]);
    expect(report).toMatch(/a.csv:2: not valid UTF-8; got byte 0xFC/);
  });

  test("a quote that nobody closes is an error, always", async () => {
    const options = { fields: review, onBadRow: "skip" } as const;
    expect(await failure("a.csv", 'text,label\na,1\n"b,2\nc,3\n', options)).toMatchInlineSnapshot(
      `"a.csv:3: a quote that opens a cell must be closed; got none up to line 4; close it, or write it twice where it is part of the text"`,
    );
  });
});

describe("CoNLL columns", () => {
  const text = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\nPeter\tNNP\tI-NP\tI-PER";
  const fields = { tokens: "strings", tags: "strings" } as const;
  const columns = { tokens: "token", tags: "ner" };

  test("a sentence between blank lines", async () => {
    const reader = readRecords(fileOf("a.conll", text), { fields, columns });
    expect((await all(reader)).map(({ where, fields }) => [where.replace(/^.*:/, ""), fields])).toEqual([
      ["3", { tokens: ["EU", "rejects"], tags: ["I-ORG", "O"] }],
      ["7", { tokens: ["Peter"], tags: ["I-PER"] }],
    ]);
  });

  test("IOB1 as IOB2, two columns, names that are given", async () => {
    const options = {
      fields: { tokens: "strings", tags: "iob1" },
      columns: { tokens: "token", tags: "tag" },
    } as const;
    expect(await read("a.bio", "a I-X\nb I-X\nc B-X\nd I-Y\n", options)).toEqual([
      { tokens: ["a", "b", "c", "d"], tags: ["B-X", "I-X", "B-X", "B-Y"] },
    ]);
    const three = { fields: { word: "strings" }, columnNames: ["id", "word", "tag"] } as const;
    expect(await read("a.bio", "1 a O", three)).toEqual([{ word: ["a"] }]);
    expect(await failure("a.bio", "1 a O", { fields: { word: "strings" } })).toMatch(
      /^a.bio:1: only two or four columns have names of their own; got 3; name them/,
    );
    expect(await failure("a.bio", "a O", { fields: { tags: "strings" } })).toMatch(
      /no column "tags" \(did you mean "tag"/,
    );
  });

  test("a bad word makes its sentence bad", async () => {
    const bad = `a x\n\nb x\nc\nd x y\n\ne x\n`;
    const options = { fields: { tokens: "strings" }, columns: { tokens: "token" } } as const;
    expect(await failure("a.iob", bad, options)).toMatch(
      /^a.iob:4: each word must have 2 columns; got 1 in "c";/,
    );
    expect((await skipping("a.iob", bad, options)).records).toEqual(["1 a", "7 e"]);
  });

  test.skipIf(!hasShared)(`CoNLL-2003${needsShared}`, async () => {
    const counts: number[] = [];
    for (const part of ["train", "testa", "testb"]) {
      const options = { fields: { tokens: "strings", tags: "iob1" }, columns, format: "conll" } as const;
      const records = await all(readRecords(sharedPath(`data/conll2003/eng.${part}`), options));
      const tags = records.flatMap(({ fields }) => fields.tags);
      counts.push(records.length, tags.length, tags.filter((tag) => tag.startsWith("B-")).length);
      expect(records.every(({ fields }) => fields.tags.length === fields.tokens.length)).toBe(true);
    }
    // Sentences, words and entities as Tjong Kim Sang and De Meulder (2003), tables 1 and 2, count them; the table's
    // sentences include the lines that divide documents (946, 216 and 231).
    expect(counts).toEqual([14_041, 203_621, 23_499, 3250, 51_362, 5942, 3453, 46_435, 5648]);
  });
});

describe("Parquet", () => {
  // Written by DuckDB 1.x: five reviews with columns of several types in every compression, 5,000 rows in row groups
  // of 2,048, and two rows that cannot be used.
  const parquet = (name: string) => new URL(`parquet/${name}.parquet`, import.meta.url).pathname;

  test.each(["uncompressed", "snappy", "zstd", "gzip", "brotli", "lz4_raw"])("%s", async (compression) => {
    const reader = readRecords(parquet(compression), {
      fields: {
        text: "text",
        label: "label",
        score: "number",
        id: "integer",
        tokens: "strings",
        tags: "numbers",
        flag: "label",
      },
      columns: { text: "sentence" },
    });
    const records = await all(reader);
    expect(records).toHaveLength(5);
    expect(records[2]).toEqual({
      where: `${parquet(compression)}:3`,
      fields: {
        text: 'review number 3 – Grüße "quoted"',
        label: "1",
        score: 0.75,
        id: 3,
        tokens: ["word3", "and", "more"],
        tags: [3, 2, 3],
        flag: "false",
      },
    });
  });

  test("several row groups", async () => {
    const records = await all(readRecords(parquet("groups"), { fields: { id: "integer", text: "text" } }));
    expect(records.map(({ fields }) => fields.id)).toEqual(Array.from({ length: 5000 }, (_, id) => id));
    expect(records.at(-1)).toEqual({
      where: `${parquet("groups")}:5000`,
      fields: { id: 4999, text: "text 4999" },
    });
  });

  test("values that no field can have, unknown columns, other files", async () => {
    const message = async <const Types extends FieldTypes>(file: string, options: ReadOptions<Types>) =>
      await all(readRecords(file, options)).then(
        () => "no error",
        (error: Error) => error.message.replace(/^.*\//, ""),
      );
    expect(await message(parquet("bad"), { fields: { id: "label" } })).toMatch(
      /^bad.parquet:1: column "id" must hold whole numbers up to 2\^53; got 9007199254740993;/,
    );
    expect(await message(parquet("bad"), { fields: { text: "text" } })).toMatch(/^bad.parquet:2: .* got " "/);
    expect(await message(parquet("snappy"), { fields: { gaps: "text" } })).toMatch(/:3: .* got no value/);
    expect(await message(parquet("snappy"), { fields: { nested: "text" } })).toMatch(
      /:1: column "nested" must hold/,
    );
    const [first] = await all(
      readRecords(parquet("snappy"), { fields: { part: "integer" }, columns: { part: "nested.a" } }),
    );
    expect(first!.fields.part).toBe(1);
    expect(await message(parquet("snappy"), { fields: { day: "label" } })).toMatch(
      /:1: column "day" must hold/,
    );
    expect(await message(parquet("snappy"), { fields: { sentense: "text" } })).toMatch(
      /has no column "sentense" \(did you mean "sentence"\?\); got "id", "sentence", .*"nested", "nested.a", "gaps", "day"; map/,
    );
    expect(await message(fileOf("a.parquet", "PAR1 but not really PAR1"), { fields: { a: "text" } })).toMatch(
      /^a.parquet: cannot be read as Parquet; got /,
    );
    expect(await message(join(folder, "none.parquet"), { fields: { a: "text" } })).toMatch(
      /there is no such file/,
    );
    expect(await message(folder, { fields: { a: "text" }, format: "parquet" })).toMatch(/it is a folder/);
  });
});

describe("gzip", () => {
  test("is unpacked, and the copy removed, also where reading stops early", async () => {
    const copies = () => readdirSync(tmpdir()).filter((name) => name.startsWith("qkv-unpacked-"));
    const before = copies();
    const packed = gzipSync("text,label\na,1\nb,2\n");
    expect(await read("a.csv.gz", packed, { fields: review })).toHaveLength(2);
    for await (const record of readRecords(fileOf("a.csv.gz", packed), { fields: review })) {
      expect(record.where).toBe(join(folder, "a.csv.gz:2"));
      break;
    }
    expect(await failure("a.csv.gz", packed.subarray(0, 20), { fields: review })).toMatch(
      /^a.csv.gz: cannot unpack;/,
    );
    expect(await failure("a.csv.gz", "text,label\n", { fields: review })).toMatch(
      /^a.csv.gz: cannot unpack;/,
    );
    expect(copies()).toEqual(before);
  });
});

describe("options", () => {
  test.each([
    [
      "a.xml",
      { fields: review },
      /name must end in one of .txt, .* name the format, as data.format .*: text, jsonl, csv/,
    ],
    [
      "a.csv",
      { fields: review, format: "cvs" },
      /format is one of text, .*; got "cvs" \(did you mean "csv"\?\)/,
    ],
    [
      "a.csv",
      { fields: review, quotess: true },
      /options are .*quotes; got "quotess" \(did you mean "quotes"\?\)/,
    ],
    ["a.jsonl", { fields: review, quotes: true }, /reading jsonl: the options are .*; got "quotes"/],
    ["a.csv", { fields: review, onBadRow: "ignore" }, /onBadRow is one of error, skip; got "ignore"/],
    ["a.txt", { fields: review, unit: "lines" }, /unit is one of line, document, file; got "lines"/],
    ["a.csv", { fields: {} }, /at least one field must be read/],
    [
      "a.csv",
      { fields: { text: "texts" } },
      /the type of "text" is one of .*; got "texts" \(did you mean "text"\?\)/,
    ],
    [
      "a.csv",
      { fields: review, columns: { labels: "x" } },
      /for the fields text, label; got "labels" \(did you/,
    ],
    ["a.parquet.gz", { fields: review }, /Parquet compresses by itself/],
  ])("%s %o", (name, options, message) => {
    expect(() => readRecords(name, options as unknown as ReadOptions<FieldTypes>)).toThrow(message);
  });

  test("each iteration begins anew", async () => {
    const reader = readRecords(fileOf("a.txt", "a\n\nb"), { fields: { text: "text" }, onBadRow: "skip" });
    expect(await all(reader)).toEqual(await all(reader));
    expect(reader.report).toMatchObject({ records: 2, skipped: 1 });
  });
});

test.skipIf(!hasShared)(`files as people have them${needsShared}`, async () => {
  const review = { text: "text", label: "label" } as const;
  const counts = async <const Types extends FieldTypes>(file: string, options: ReadOptions<Types>) => {
    const reader = readRecords(sharedPath(`data/${file}`), options);
    const { length } = await all(reader);
    return [length, reader.report.skipped];
  };
  const columns = { text: "sentence" };
  expect(await counts("sst2/train.tsv", { fields: review, columns })).toEqual([67_349, 0]);
  expect(await counts("sst2/test.tsv", { fields: review, columns: { text: "content" } })).toEqual([1821, 0]);
  const news = {
    fields: review,
    columns: { text: "description" },
    columnNames: ["label", "title", "description"],
  };
  expect(await counts("ag-news-subset/test.csv", news)).toEqual([7600, 0]);
  const dialogues = { fields: { dialogue: "text", summary: "text" }, onBadRow: "skip" } as const;
  expect(await counts("samsum/train.jsonl", dialogues)).toEqual([14_731, 1]);
  const lines = { fields: { text: "text" }, format: "text", onBadRow: "skip" } as const;
  expect(await counts("wikitext-2/wiki.valid.tokens", lines)).toEqual([2461, 1299]);
});
