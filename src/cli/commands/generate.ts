import type { Command } from "commander";
import { addEngineOptions, examples, given } from "../arguments.ts";
import { type HubFlags, modelFolder, offlineOption } from "../models.ts";
import { interruptible } from "../stopping.ts";
import { print } from "../text-files.ts";

interface GenerateFlags extends HubFlags {
  inputs: string;
  options?: string;
  threads?: number;
  prepacking?: boolean;
  json?: boolean;
}

export function defineGenerate(program: Command): void {
  const command = program
    .command("generate")
    .description("go on from token ids: the ids that a model writes after them")
    .argument("<model>", "a model folder, or a name on the hub")
    .requiredOption(
      "--inputs <file>",
      'JSON with nested lists: {"input_ids": [[5, 7]], "attention_mask": ...}',
    )
    .option("--options <file>", "JSON with Hugging Face's names, over the model's generation_config.json")
    .addOption(offlineOption());
  addEngineOptions(command)
    .option("--json", "print one JSON object: generated, and with beams sequences_scores")
    .addHelpText(
      "after",
      examples(
        "qkv generate models/gpt2 --inputs prompts.json --json",
        "qkv generate models/opus-mt-en-de --inputs sources.json --options beams.json --json",
      ),
    )
    .action(
      async (model: string, { inputs, options, threads, prepacking, json, ...flags }: GenerateFlags) => {
        const { generateIds } = await import("../../node.ts");
        const { readJsonFile } = await import("../../tasks/node/shipped.ts");
        const ids = await readJsonFile(inputs);
        const asked = options === undefined ? {} : await readJsonFile(options);
        const folder = await modelFolder(model, flags);
        const result = await interruptible((until) =>
          until(generateIds(folder, ids, asked, given({ threads, prepacking }))),
        );
        if (json) await print(`${JSON.stringify(result)}\n`);
        else await print(result.generated.map((row) => `${row.join(" ")}\n`).join(""));
      },
    );
}
