import type { LoweredProgram, ProgramValue } from "../onnx/program.ts";
import { QkvError } from "../util/errors.ts";

/** Some of the rows of a batch. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/** Into how many parts a batch is cut, however many threads there are: so the sums have the same bits everywhere. */
const partCount = 2;

/** The parts of a batch of so many rows. */
export function partsOf(rows: number): Part[] {
  const count = Math.max(1, Math.min(partCount, rows));
  const bound = (part: number) => Math.round((part * rows) / count);
  return Array.from({ length: count }, (_, part) => ({ start: bound(part), end: bound(part + 1) }));
}

/**
 * Checks that a program can be computed part by part: what depends on the axis of examples has it in front, and no
 * output has it.
 */
export function checkDivisible({ inputs, masks, outputs }: LoweredProgram, examples: string): void {
  const uses = ({ dims }: Pick<ProgramValue, "dims">) =>
    dims.map((axis) => String(axis.size).split(/[*+]/).includes(examples));
  for (const value of [...inputs.values(), ...masks]) {
    if (uses(value).lastIndexOf(true) > 0 || (uses(value)[0] && value.dims[0]!.size !== examples)) {
      throw new QkvError("internal", `program: the axis "${examples}" of ${value.name} must be its first`);
    }
  }
  for (const [name, output] of outputs) {
    if (output.dtype !== "float32" || uses(output).includes(true)) {
      throw new QkvError("internal", `program: the output "${name}" must be a sum over "${examples}"`);
    }
  }
}
