import type { Command, Option } from "commander";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { bleu } from "./bleu.ts";
import { chrf, chrfPlusPlus } from "./chrf.ts";
import { accuracy, f1, matthews } from "./classification.ts";
import { pearson, spearman } from "./correlation.ts";
import { entityF1 } from "./entity-f1.ts";
import type { Measure, Metric } from "./metric.ts";
import { bitsPerByte, perplexity } from "./perplexity.ts";
import { mrr, recallAtK } from "./retrieval.ts";
import { rouge } from "./rouge.ts";
import { squad } from "./squad.ts";

/** The metrics of translations, by their names on the command line. */
export const translationMetrics = { bleu, chrf, "chrf++": chrfPlusPlus } as const;

/** All metrics, by their names on the command line. */
export const metrics = {
  ...translationMetrics,
  rouge,
  squad,
  accuracy,
  f1,
  matthews,
  "entity-f1": entityF1,
  pearson,
  spearman,
  "recall-at-k": recallAtK,
  mrr,
  perplexity,
  "bits-per-byte": bitsPerByte,
} as const satisfies Record<string, Metric>;

/** The values of options, by commander's names; those not given are left out. */
export type MetricFlags = Readonly<Record<string, unknown>>;

/** The options of all these metrics, each once, under the names by which a command gets their values. */
function optionsOf(table: Readonly<Record<string, Metric>>): Map<string, Option> {
  const options = new Map<string, Option>();
  for (const metric of Object.values(table)) {
    for (const option of metric.options()) options.set(option.long!, options.get(option.long!) ?? option);
  }
  return options;
}

/** Gives a command the options of metrics. */
export function addMetricOptions(command: Command, table: Readonly<Record<string, Metric>>): Command {
  for (const option of optionsOf(table).values()) command.addOption(option);
  return command;
}

/** Of a command's values those that are options of metrics, and were given. */
export function metricFlags(
  table: Readonly<Record<string, Metric>>,
  values: Readonly<Record<string, unknown>>,
): MetricFlags {
  const names = new Set([...optionsOf(table).values()].map((option) => option.attributeName()));
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => names.has(name) && value !== undefined),
  );
}

/** Whether the metric has the option of this name. */
export function takesFlag(metric: Metric, name: string): boolean {
  return metric.options().some((option) => option.attributeName() === name);
}

/**
 * A metric with its options.
 * @throws QkvError "option" for an option that the metric does not have
 */
export async function openMetric<Hypothesis, Reference>(
  name: string,
  metric: Metric<Hypothesis, Reference>,
  flags: MetricFlags,
): Promise<Measure<Hypothesis, Reference>> {
  const own = metric.options().map((option) => option.long!);
  for (const flag of Object.keys(flags)) {
    if (takesFlag(metric, flag)) continue;
    const long = `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const owners = Object.entries(metrics).filter(([, other]) => takesFlag(other, flag));
    const rule = `${name}: has no option ${long}, which is for ${owners.map(([other]) => other).join(", ")}`;
    const list = own.length === 0 ? "it has none" : `it has ${own.join(", ")}`;
    throw new QkvError("option", `${rule}; ${list}${didYouMean(long, own)}; leave it out`);
  }
  return await metric.open(flags);
}
