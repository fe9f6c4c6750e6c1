import { QkvError } from "../../util/errors.ts";
import { LineReader } from "./line-reader.ts";
import {
  type ColumnName,
  columnIndices,
  type FormatOptions,
  type Row,
  type TextSource,
} from "./record-rows.ts";

/** The columns of files whose names nobody gives: those of CoNLL-2003, and the word with its tag. */
const usualColumns: Readonly<Record<number, readonly string[]>> = {
  2: ["token", "tag"],
  4: ["token", "pos", "chunk", "ner"],
};

/**
 * CoNLL columns: a word a line with its annotations, separated by blanks or tabs; a sentence ends at a blank line;
 * lines that begin with `-DOCSTART-` only divide documents. A record is a sentence, a column a list with an item for
 * each word. Without `columnNames`, two columns are called token and tag; four token, pos, chunk and ner.
 */
export function* conllRows(
  source: TextSource,
  columns: readonly ColumnName[],
  { columnNames }: FormatOptions,
): Generator<Row, void, undefined> {
  const reader = new LineReader(source.path, { shownPath: source.shownPath });
  let names = columnNames;
  let wanted: readonly number[] | undefined;
  let values: string[][] = columns.map(() => []);
  let first = 0;
  let bad: Row | undefined;
  try {
    for (;;) {
      const text = reader.read();
      const line = reader.lineNumber;
      const cells = text?.trim().split(/[ \t]+/) ?? [""];
      if (cells[0] === "" || cells[0] === "-DOCSTART-") {
        if (bad !== undefined) yield bad;
        else if (first > 0) yield { line: first, values };
        if (text === undefined) return;
        values = columns.map(() => []);
        first = 0;
        bad = undefined;
        continue;
      }
      if (first === 0) first = line;
      names ??= usualNames(source.shownPath, line, cells.length);
      wanted ??= columnIndices(source.shownPath, columns, names);
      if (reader.problem !== undefined) bad ??= { line, problem: reader.problem };
      else if (cells.length !== names.length) {
        const problem = `each word must have ${names.length} columns; got ${cells.length} in "${text?.slice(0, 60)}"`;
        bad ??= { line, problem };
      } else for (const [at, index] of wanted.entries()) values[at]!.push(cells[index]!);
    }
  } finally {
    reader.dispose();
  }
}

function usualNames(file: string, line: number, count: number): readonly string[] {
  const names = usualColumns[count];
  if (names !== undefined) return names;
  throw new QkvError(
    "data",
    `${file}:${line}: only two or four columns have names of their own; got ${count}; name them (data.column_names)`,
  );
}
