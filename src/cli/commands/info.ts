import type { Command } from "commander";
import { formatCount } from "../../util/format.ts";
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
      const { folder, parameters, tensors, dtypes, bytes, config, decoding } = description;
      const { sourceVocabulary, targetVocabulary } = description;
      const lines: [name: string, value: string][] = [
        ["folder", folder],
        ["parameters", `${formatCount(parameters)} in ${tensors} tensors`],
        ["weights", `${formatCount(bytes)}B, ${dtypes.join(", ")}`],
        ["vocabulary", vocabulary(sourceVocabulary, targetVocabulary, config.share_embeddings)],
        ["", ""],
        ...namesAndValues(config),
        ["", ""],
        ...namesAndValues(decoding),
      ];
      const width = Math.max(...lines.map(([name]) => name.length)) + 2;
      await print(lines.map(([name, value]) => `${`${name.padEnd(width)}${value}`.trimEnd()}\n`).join(""));
    });
}

function vocabulary(source: number, target: number, shared: unknown): string {
  return shared === "all" ? `${source} pieces for both sides` : `${source} source, ${target} target pieces`;
}

function namesAndValues(values: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(values).map(([name, value]) => [name, String(value)]);
}
