import type { Command } from "commander";
import type { ModelDescription } from "../../tasks/node/describe-model.ts";
import { cutToWidth, displayWidth, formatCount, formatWhole } from "../../util/format.ts";
import { examples } from "../arguments.ts";
import { type HubFlags, modelFolder, offlineOption } from "../models.ts";
import { print } from "../text-files.ts";

export function defineInfo(program: Command): void {
  program
    .command("info")
    .description("say what a model folder holds")
    .argument("<model>", "a model folder, a name on the hub, or the name of a shipped model")
    .addOption(offlineOption())
    .option("--json", "print it as JSON")
    .addHelpText("after", examples("qkv info tatoeba-en-de", "qkv info runs/mine --json"))
    .action(async (model: string, { json, ...flags }: { json?: boolean } & HubFlags) => {
      const { describeModel } = await import("../../tasks/node/describe-model.ts");
      const description = await describeModel(await modelFolder(model, flags));
      if (json) {
        await print(`${JSON.stringify(description)}\n`);
        return;
      }
      const { folder, architecture, parameters, tensors, dtypes, bytes } = description;
      const lines: [name: string, value: string][] = [
        ["folder", folder],
        ["architecture", architecture],
        ["parameters", `${formatCount(parameters)} in ${tensors} tensors`],
        ["weights", `${formatCount(bytes)}B, ${dtypes.join(", ")}`],
        ["vocabulary", vocabulary(description)],
        ...section(description.config),
        ...section(description.generationConfig),
      ];
      const width = Math.max(...lines.map(([name]) => name.length)) + 2;
      await print(lines.map(([name, value]) => `${`${name.padEnd(width)}${value}`.trimEnd()}\n`).join(""));
    });
}

function vocabulary(description: ModelDescription): string {
  const { sourceVocabulary: source, targetVocabulary: target, sharedVocabulary, config } = description;
  if (source === undefined || target === undefined) {
    const { vocab_size: size } = config;
    return typeof size === "number"
      ? `${formatWhole(size)} pieces; the tokenizer is not here`
      : "the tokenizer is not here";
  }
  if (!sharedVocabulary) return `${formatWhole(source)} source, ${formatWhole(target)} target pieces`;
  const readsAndWrites = config.is_encoder_decoder === true || config.model_type === "transformer";
  return `${formatWhole(source)} pieces${readsAndWrites ? " for both sides" : ""}`;
}

/** The keys of a file, set apart by an empty line. */
function section(values: Readonly<Record<string, unknown>>): [name: string, value: string][] {
  const lines = Object.entries(values).map(([name, value]): [string, string] => [name, shortly(value)]);
  return lines.length === 0 ? [] : [["", ""], ...lines];
}

/** How many of a list are shown, and how many columns of what lies deeper. */
const mostShown = 8;
const mostColumns = 40;

/** A value of a JSON file on one line: of a list or an object the first few. */
function shortly(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const all = Array.isArray(value)
    ? value.map(inside)
    : Object.entries(value).map(([name, own]) => `${name}: ${inside(own)}`);
  if (all.length === 0) return "none";
  const more = all.length - mostShown;
  return `${all.slice(0, mostShown).join(", ")}${more > 0 ? ` and ${formatWhole(more)} more` : ""}`;
}

function inside(value: unknown): string {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return displayWidth(text) > mostColumns ? `${cutToWidth(text, mostColumns)}...` : text;
}
