import { Option } from "commander";
import { averages } from "../../metrics/precision-recall.ts";
import { oneOf } from "../arguments.ts";

/** Options that several metrics have. */
export function lowercaseOption(): Option {
  return new Option("--lowercase", "ignore case (bleu, chrf)");
}

export function averageOption(): Option {
  const names = ["binary", ...averages, "none"] as const;
  return new Option(
    "--average <name>",
    `how the F1 of labels become one: ${names.join(", ")} (default: macro for f1, micro for entity-f1)`,
  ).argParser(oneOf(names));
}

export function zeroDivisionOption(): Option {
  const description = "what a rate is whose denominator is 0: 0 or 1 (default: 0)";
  return new Option("--zero-division <n>", description).argParser((text) => Number(oneOf(["0", "1"])(text)));
}
