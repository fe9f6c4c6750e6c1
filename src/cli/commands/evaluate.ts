import type { Command } from "commander";
import { QkvError } from "../../util/errors.ts";
import { examples, given, listOf, oneOf, threadsOption, wholeNumber } from "../arguments.ts";
import type { MetricResult } from "../metrics/metric.ts";
import {
  addMetricOptions,
  type MetricFlags,
  metricFlags,
  openMetric,
  takesFlag,
  translationMetrics,
} from "../metrics/table.ts";
import { type HubFlags, modelFolder, offlineOption } from "../models.ts";
import { interruptible } from "../stopping.ts";
import { createProgress } from "../terminal.ts";
import { print, readParallel, readTextLines } from "../text-files.ts";
import { evaluateRun, type Split, splits } from "./evaluate-run.ts";
import { addDecodingOptions, type DecodingFlags, decodingOptions } from "./translate.ts";

type MetricName = keyof typeof translationMetrics;

interface EvaluateFlags extends DecodingFlags, HubFlags {
  metric: MetricName[];
  split?: Split;
  input?: string[];
  data?: string;
  source?: string;
  references?: string[];
  lowercase?: boolean;
  output?: string;
  examples?: number;
  threads?: number;
  json?: boolean;
}

const metricNames = Object.keys(translationMetrics) as MetricName[];

export function defineEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("measure a trained model on its test data, or a translator on a file and its references")
    .argument(
      "<model>",
      "a run's folder; for translators a model folder, a name on the hub, or a shipped model",
    )
    .option(
      "--split <name>",
      `which part of the recipe's data: ${splits.join(", ")} (default: test)`,
      oneOf(splits),
    )
    .option("--input <file...>", "other records of the same kind instead")
    .option("--data <folder>", "where the recipe's data lie (default: where they lay at the training)")
    .option("--source <file>", "of a translator: one sentence a line")
    .option("--references <file...>", "its translations, line by line")
    .option("--metric <names>", `what to compute: ${metricNames.join(", ")}`, listOf(metricNames), [
      "bleu",
      "chrf",
    ] as const);
  addDecodingOptions(addMetricOptions(command, translationMetrics))
    .option("--output <file>", "write the translations here")
    .option("--examples <n>", "show the n best and the n worst (by chrF of each sentence)", wholeNumber(0))
    .addOption(offlineOption())
    .addOption(threadsOption())
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      examples(
        "qkv evaluate runs/sst2 --split test",
        "qkv evaluate runs/mine --source test.en --references test.de",
        "qkv evaluate tatoeba-en-de --source test.en --references test.de --num-beams 1 --examples 5",
      ),
    )
    .action(async (model: string, options: EvaluateFlags, self: Command) => {
      if (options.source === undefined && options.references === undefined) {
        refuseTranslatorOptions(self);
        return await evaluateRun(model, options);
      }
      const flags = ofTranslator(options);
      const ofMetrics = metricFlags(translationMetrics, { ...flags });
      const metrics = await Promise.all(
        flags.metric.map((name) =>
          openMetric(name, translationMetrics[name], flagsOf(name, flags.metric, ofMetrics)),
        ),
      );
      const [sources, references] = await readParallel(flags.source, flags.references, readTextLines);
      const { hypotheses, seconds } = await translateAll(model, sources, flags);
      const scores = metrics.map((metric, index) => ({
        metric: flags.metric[index]!,
        ...metric.corpus(hypotheses, references),
      }));
      const shown = await rankExamples(sources, hypotheses, references, flags);
      const speed = { sentences: sources.length, seconds, sentencesPerSecond: sources.length / seconds };
      await print(flags.json ? resultAsJson(scores, speed, shown) : resultAsText(scores, speed, shown));
    });
}

/** Refuses options that the data of a run have no use for. */
function refuseTranslatorOptions(self: Command): void {
  const own = ["split", "input", "data", "threads", "json", "debug"];
  const idle = self.options.find(
    (option) =>
      !own.includes(option.attributeName()) && self.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (idle === undefined) return;
  throw new QkvError(
    "option",
    `evaluate: ${idle.long} goes with --source and --references, for a translator; a run is measured as its recipe says`,
  );
}

/** Refuses options that a translator does not have, or half of those that it needs. */
function ofTranslator(flags: EvaluateFlags): EvaluateFlags & { source: string; references: string[] } {
  const { source, references } = flags;
  if (source === undefined || references === undefined) {
    const missing = source === undefined ? "--source" : "--references";
    throw new QkvError("option", `evaluate: a translator needs --source and --references; add ${missing}`);
  }
  for (const name of ["split", "input", "data"] as const) {
    if (flags[name] === undefined) continue;
    throw new QkvError("option", `evaluate: --${name} goes with a run's own data; leave it or --source out`);
  }
  return { ...flags, source, references };
}

/** Of the options given for all metrics those that are this one's, or that none of the chosen ones has. */
function flagsOf(name: MetricName, chosen: readonly MetricName[], flags: MetricFlags): MetricFlags {
  const isMeant = ([flag]: [string, unknown]) =>
    takesFlag(translationMetrics[name], flag) ||
    !chosen.some((other) => takesFlag(translationMetrics[other], flag));
  return Object.fromEntries(Object.entries(flags).filter(isMeant));
}

/** Refuses a model that translates nothing, whose data a recipe names. */
async function requireTranslator(folder: string): Promise<void> {
  const { readModelKind } = await import("../../tasks/node/model-kind.ts");
  const { architecture, translates } = await readModelKind(folder);
  if (translates) return;
  throw new QkvError(
    "option",
    `${folder}: --source and --references are for models that translate; got ${architecture}; use --split or --input`,
  );
}

async function translateAll(
  model: string,
  sources: readonly string[],
  flags: EvaluateFlags,
): Promise<{ hypotheses: string[]; seconds: number }> {
  const { loadTranslator } = await import("../../node.ts");
  const folder = await modelFolder(model, flags);
  await requireTranslator(folder);
  const hypotheses: string[] = [];
  return await interruptible(async (until) => {
    const translator = await loadTranslator(folder, given({ threads: flags.threads }));
    const progress = createProgress(process.stderr, { total: sources.length, label: "translating" });
    const start = performance.now();
    let truncated = 0;
    try {
      while (hypotheses.length < sources.length) {
        const chunk = sources.slice(hypotheses.length, hypotheses.length + 1000);
        const translations = await until(translator.translate(chunk, decodingOptions(flags)));
        for (const { text } of translations) hypotheses.push(text);
        truncated += translations.filter((translation) => translation.truncated).length;
        progress.update({ step: hypotheses.length });
      }
    } finally {
      progress.done();
      await translator.dispose();
    }
    const seconds = (performance.now() - start) / 1000;
    if (truncated > 0)
      process.stderr.write(`qkv: ${truncated} sources were longer than the model can read and were cut\n`);
    if (flags.output !== undefined) {
      const { writeFileAtomically } = await import("../../util/node/atomic-file.ts");
      await writeFileAtomically(flags.output, hypotheses.map((text) => `${text}\n`).join(""));
    }
    return { hypotheses, seconds };
  });
}

interface Example {
  readonly line: number;
  readonly chrf: number;
  readonly source: string;
  readonly translation: string;
  readonly reference: string;
}

interface Examples {
  readonly best: readonly Example[];
  readonly worst: readonly Example[];
}

async function rankExamples(
  sources: readonly string[],
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  flags: EvaluateFlags,
): Promise<Examples | undefined> {
  const count = flags.examples ?? 0;
  if (count === 0) return undefined;
  const { sentenceChrf } = await import("../../metrics/chrf.ts");
  const ranked = sources
    .map((source, index): Example => {
      const ofLine = references.map((stream) => stream[index]!);
      const translation = hypotheses[index]!;
      const { score: chrf } = sentenceChrf(translation, ofLine, { lowercase: flags.lowercase });
      return { line: index + 1, chrf, source, translation, reference: ofLine[0]! };
    })
    .sort((left, right) => right.chrf - left.chrf);
  return { best: ranked.slice(0, count), worst: ranked.slice(-count).reverse() };
}

type NamedResult = MetricResult & { readonly metric: MetricName };

interface Speed {
  readonly sentences: number;
  readonly seconds: number;
  readonly sentencesPerSecond: number;
}

function resultAsJson(scores: readonly NamedResult[], speed: Speed, shown: Examples | undefined): string {
  const results = scores.map(({ metric, score, details }) => [metric, { score, ...details }] as const);
  return `${JSON.stringify({ ...Object.fromEntries(results), ...speed, ...shown })}\n`;
}

function resultAsText(scores: readonly NamedResult[], speed: Speed, shown: Examples | undefined): string {
  const lines = scores.map(({ text }) => text);
  const { sentences, seconds, sentencesPerSecond } = speed;
  lines.push(`${sentences} sentences in ${seconds.toFixed(1)} s: ${sentencesPerSecond.toFixed(1)} a second`);
  for (const [title, list] of Object.entries(shown ?? {}) as [string, readonly Example[]][]) {
    for (const { line, chrf, source, translation, reference } of list) {
      lines.push("", `${title}: line ${line}, chrF ${chrf.toFixed(1)}`);
      lines.push(`  source       ${source}`, `  translation  ${translation}`, `  reference    ${reference}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
