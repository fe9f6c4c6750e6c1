import type { ColumnKind, Example, ExampleStore } from "./training-task.ts";

/** Examples in memory: for each column all numbers one after another, and where each example's begin. */
export class ExampleList implements ExampleStore {
  readonly #columns = new Map<string, { values: Int32Array | Float64Array; starts: number[] }>();
  #length = 0;

  constructor(columns: Readonly<Record<string, ColumnKind>>) {
    for (const [name, kind] of Object.entries(columns)) {
      const values = kind === "floats" ? new Float64Array(1024) : new Int32Array(1024);
      this.#columns.set(name, { values, starts: [0] });
    }
  }

  get length(): number {
    return this.#length;
  }

  add(example: Example): void {
    for (const [name, column] of this.#columns) {
      const own = example[name]!;
      const start = column.starts.at(-1)!;
      while (start + own.length > column.values.length) {
        const wider = new (column.values.constructor as Float64ArrayConstructor)(2 * column.values.length);
        wider.set(column.values);
        column.values = wider;
      }
      column.values.set(own, start);
      column.starts.push(start + own.length);
    }
    this.#length++;
  }

  lengthOf(column: string, index: number): number {
    const { starts } = this.#columns.get(column)!;
    return starts[index + 1]! - starts[index]!;
  }

  values(column: string, index: number): ArrayLike<number> {
    const { values, starts } = this.#columns.get(column)!;
    return values.subarray(starts[index]!, starts[index + 1]!);
  }
}
