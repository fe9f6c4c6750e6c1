import { type Command, Option } from "commander";
import { QkvError } from "../../util/errors.ts";
import { examples, oneOf } from "../arguments.ts";
import type { Measure, Metric, MetricResult } from "../metrics/metric.ts";
import { addMetricOptions, metricFlags, metrics, openMetric } from "../metrics/table.ts";
import { print, readItems, readParallel } from "../text-files.ts";

type MetricName = keyof typeof metrics;

interface Flags {
  metric: MetricName;
  hypotheses: string;
  references?: string[];
  sentence?: boolean;
  json?: boolean;
}

export function defineScore(program: Command): void {
  const names = Object.keys(metrics) as MetricName[];
  const width = Math.max(...names.map((name) => name.length));
  const list = names.map((name) => `  ${name.padEnd(width)}  ${metrics[name].description}`);
  const command = program
    .command("score")
    .description("compare a file of results with one or more files of references")
    .addOption(
      new Option("--metric <name>", "what to compute, see below").argParser(oneOf(names)).default("bleu"),
    )
    .requiredOption("--hypotheses <file>", "one result a line; a .jsonl file has one JSON value a line")
    .option("--references <file...>", "what is right, line by line, in the same form");
  addMetricOptions(command, metrics)
    .option("--sentence", "the score of each line instead of the whole (bleu, chrf, rouge, squad)")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `\nMetrics:\n${list.join("\n")}\n${examples(
        "qkv score --metric bleu --hypotheses got.de --references test.de",
        "qkv score --metric chrf++ --lowercase --hypotheses got.de --references test.de --json",
        "qkv score --metric rouge --stemmer --hypotheses got.txt --references test.txt",
        "qkv score --metric entity-f1 --scheme IOB2 --strict --hypotheses got.tags --references test.tags",
        "qkv score --metric f1 --average weighted --hypotheses got.labels --references test.labels",
      )}`,
    )
    .action(async (flags: Flags) => await score(flags.metric, metrics[flags.metric], flags));
}

async function score(name: MetricName, metric: Metric, flags: Flags): Promise<void> {
  const measure = await openMetric(name, metric, metricFlags(metrics, { ...flags }));
  const references = flags.references ?? [];
  checkReferences(name, metric, references.length);
  const [hypotheses, streams] = await readParallel(flags.hypotheses, references, readItems);
  const given = hypotheses.map((item, line) => metric.readHypothesis(item, place(flags.hypotheses, line)));
  const right = streams.map((stream, file) =>
    stream.map((item, line) => metric.readReference(item, place(references[file]!, line))),
  );
  if (flags.sentence) await printSentences(name, metric, measure, given, right, flags.json ?? false);
  else {
    const result = measure.corpus(given, right);
    await print(flags.json ? toJson({ metric: name }, result) : `${result.text}\n`);
  }
}

function place(path: string, line: number): string {
  return `${path}: line ${line + 1}`;
}

function checkReferences(name: string, metric: Metric, count: number): void {
  if (metric.references === "none" ? count === 0 : metric.references === "one" ? count === 1 : count > 0)
    return;
  const rule = {
    none: "takes no --references",
    one: "takes one file of --references",
    several: "needs --references",
  };
  const wayOut = metric.references === "none" ? "leave them out" : "name what is right, line by line";
  throw new QkvError("option", `${name}: ${rule[metric.references]}; got ${count} files; ${wayOut}`);
}

async function printSentences(
  name: string,
  metric: Metric,
  measure: Measure,
  hypotheses: readonly unknown[],
  references: readonly (readonly unknown[])[],
  json: boolean,
): Promise<void> {
  if (measure.sentence === undefined) {
    throw new QkvError("option", `${name}: a single line has no score; leave --sentence out`);
  }
  for (const [line, hypothesis] of hypotheses.entries()) {
    const ofLine = references.map((stream) => stream[line]);
    const result = measure.sentence(hypothesis, ofLine);
    const shown = [result.score].flat().map((score) => score.toFixed(metric.decimals));
    await print(json ? toJson({ line: line + 1, metric: name }, result) : `${shown.join(" ")}\n`);
  }
}

/** A number that is none (a correlation with a constant) is `null` in JSON. */
function toJson(head: Readonly<Record<string, unknown>>, { score, details }: MetricResult): string {
  return `${JSON.stringify({ ...head, score, ...details })}\n`;
}
