import { QkvError } from "../../util/errors.ts";
import { nameOfMetric } from "../../util/format.ts";
import { given } from "../arguments.ts";
import { interruptible } from "../stopping.ts";
import { print } from "../text-files.ts";

/** The parts of a recipe's data. */
export const splits = ["train", "validation", "test"] as const;
export type Split = (typeof splits)[number];

export interface EvaluateRunFlags {
  readonly split?: Split;
  readonly input?: readonly string[];
  readonly data?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

/** Measures the model of a run as its training did, and prints loss and metrics. */
export async function evaluateRun(run: string, flags: EvaluateRunFlags): Promise<void> {
  const { split = "test", input: files, data, threads, json } = flags;
  if (flags.split !== undefined && files !== undefined) {
    throw new QkvError(
      "option",
      "evaluate: takes --split or --input, whose records take its place; got both",
    );
  }
  const { evaluate } = await import("../../node.ts");
  const measured = await interruptible((until) =>
    until(evaluate({ run, split, ...given({ files, data }) }, given({ threads }))),
  );
  const values = { loss: measured.loss, ...measured.metrics };
  if (json) {
    await print(`${JSON.stringify({ ...(files === undefined && { split }), ...values })}\n`);
    return;
  }
  for (const [name, value] of Object.entries(values))
    await print(`${nameOfMetric(name)} ${value.toFixed(4)}\n`);
}
