import type { Rates } from "../../metrics/precision-recall.ts";
import { displayWidth } from "../../util/format.ts";

/** Precision, recall, F1 and support as the lines of a table, in the order of scikit-learn's report. */
export function rateTable(rows: readonly (readonly [name: string, rates: Rates])[]): string[] {
  const width = Math.max(...rows.map(([name]) => displayWidth(name)), 0);
  const line = (name: string, cells: readonly string[]) =>
    [name + " ".repeat(width - displayWidth(name)), ...cells.map((cell) => cell.padStart(9))].join("  ");
  return [
    line("", ["precision", "recall", "f1", "support"]),
    ...rows.map(([name, { precision, recall, f1, support }]) =>
      line(name, [...[precision, recall, f1].map((rate) => rate.toFixed(4)), String(support)]),
    ),
  ];
}
