import type { Command } from "commander";
import { examples, given } from "../arguments.ts";
import { type HubFlags, offlineOption, withDownloads } from "../models.ts";
import { print } from "../text-files.ts";

export function defineDownload(program: Command): void {
  program
    .command("download")
    .description("bring a model of the hub into the cache, and print its folder")
    .argument("<name>", "ORGANISATION/NAME, maybe with @REVISION")
    .option("--revision <revision>", "a branch, a tag or a commit (default: main)")
    .addOption(offlineOption())
    .addHelpText(
      "after",
      examples(
        "qkv download google-bert/bert-base-uncased",
        "qkv download openai-community/gpt2 --revision v1.0",
      ),
    )
    .action(async (name: string, { revision, ...flags }: { revision?: string } & HubFlags) => {
      const { downloadModel } = await import("../../node.ts");
      const folder = await withDownloads(flags, (hub) =>
        downloadModel(name, { ...hub, ...given({ revision }) }),
      );
      await print(`${folder}\n`);
    });
}
