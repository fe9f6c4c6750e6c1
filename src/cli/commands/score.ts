import { type Command, Option } from "commander";
import { type BleuSmoothMethod, bleuSmoothMethods } from "../../metrics/bleu.ts";
import { type BleuTokenization, bleuTokenizations } from "../../metrics/bleu-tokenizers.ts";
import { QkvError } from "../../util/errors.ts";
import { examples, given, number, wholeNumber } from "../arguments.ts";
import { print, readTextLines } from "../text-files.ts";

export const scoreMetrics = ["bleu", "chrf", "chrf++"] as const;
export type ScoreMetric = (typeof scoreMetrics)[number];

/** What can be chosen of a metric. */
export interface ScoreFlags {
  tokenize?: BleuTokenization;
  smoothMethod?: BleuSmoothMethod;
  smoothValue?: number;
  maxNgramOrder?: number;
  lowercase?: boolean;
}

export interface Score {
  readonly score: number;
  readonly signature: string;
  /** In one line, as sacreBLEU prints it. */
  readonly text: string;
}

/** The options of a metric, for every command that scores. */
export function addScoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--tokenize <name>", "BLEU's tokenization (default: 13a)").choices(bleuTokenizations),
    )
    .addOption(
      new Option("--smooth-method <name>", "BLEU's smoothing (default: exp)").choices(bleuSmoothMethods),
    )
    .option("--smooth-value <x>", "for the smoothing methods floor and add-k", number)
    .option("--max-ngram-order <n>", "BLEU's longest n-gram (default: 4)", wholeNumber(1))
    .option("--lowercase", "ignore case");
}

/**
 * The scores of a corpus and of a single segment, as sacreBLEU defines them.
 * @throws QkvError "option" for an option that the metric does not have
 */
export async function openMetric(
  metric: ScoreMetric,
  flags: ScoreFlags,
): Promise<{
  corpus(hypotheses: readonly string[], references: readonly (readonly string[])[]): Score;
  sentence(hypothesis: string, references: readonly string[]): Score;
}> {
  const { tokenize, smoothMethod, smoothValue, maxNgramOrder, lowercase } = flags;
  const ofBleu = given({ tokenize, smoothMethod, smoothValue, maxNgramOrder });
  if (metric === "bleu") {
    const { corpusBleu, sentenceBleu } = await import("../../metrics/bleu.ts");
    const options = { ...ofBleu, ...given({ lowercase }) };
    return {
      corpus: (hypotheses, references) => corpusBleu(hypotheses, references, options),
      sentence: (hypothesis, references) => sentenceBleu(hypothesis, references, options),
    };
  }
  const [name] = Object.keys(ofBleu);
  if (name !== undefined) {
    throw new QkvError("option", `${metric}: has no option ${name}, which is BLEU's; leave it out`);
  }
  const { corpusChrf, sentenceChrf } = await import("../../metrics/chrf.ts");
  const options = { wordOrder: metric === "chrf++" ? 2 : 0, ...given({ lowercase }) };
  return {
    corpus: (hypotheses, references) => corpusChrf(hypotheses, references, options),
    sentence: (hypothesis, references) => sentenceChrf(hypothesis, references, options),
  };
}

/** Reads files that must have the same number of lines, and some. */
export async function readParallelLines(
  first: string,
  others: readonly string[],
): Promise<[string[], string[][]]> {
  const lines = await readTextLines(first);
  if (lines.length === 0) {
    throw new QkvError("data", `${first}: must hold one sentence a line; got an empty file; check the path`);
  }
  const rest: string[][] = [];
  for (const path of others) {
    const own = await readTextLines(path);
    if (own.length !== lines.length) {
      throw new QkvError(
        "data",
        `${first} and ${path}: must have the same number of lines; got ${lines.length} and ${own.length}; ` +
          "line N of one belongs to line N of the other",
      );
    }
    rest.push(own);
  }
  return [lines, rest];
}

interface Flags extends ScoreFlags {
  metric: ScoreMetric;
  hypotheses: string;
  references: string[];
  sentence?: boolean;
  json?: boolean;
}

export function defineScore(program: Command): void {
  const command = program
    .command("score")
    .description("compare a file of translations with one or more files of references")
    .addOption(new Option("--metric <name>", "what to compute").choices(scoreMetrics).default("bleu"))
    .requiredOption("--hypotheses <file>", "one segment a line")
    .requiredOption("--references <file...>", "one segment a line, as many lines");
  addScoreOptions(command)
    .option("--sentence", "the score of each line instead of the whole")
    .option("--json", "print score and signature as JSON")
    .addHelpText(
      "after",
      `${examples(
        "qkv score --metric bleu --hypotheses got.de --references test.de",
        "qkv score --metric chrf++ --lowercase --hypotheses got.de --references test.de --json",
      )}\nThe scores are those of sacreBLEU, and so are the names.\n`,
    )
    .action(async ({ metric, json, sentence, ...flags }: Flags) => {
      const measure = await openMetric(metric, flags);
      const [hypotheses, references] = await readParallelLines(flags.hypotheses, flags.references);
      if (sentence) {
        for (const [line, hypothesis] of hypotheses.entries()) {
          const ofLine = references.map((stream) => stream[line]!);
          const { score, signature } = measure.sentence(hypothesis, ofLine);
          await print(
            json
              ? `${JSON.stringify({ line: line + 1, metric, score, signature })}\n`
              : `${score.toFixed(2)}\n`,
          );
        }
        return;
      }
      const { score, signature, text } = measure.corpus(hypotheses, references);
      await print(json ? `${JSON.stringify({ metric, score, signature })}\n` : `${text}\n${signature}\n`);
    });
}
