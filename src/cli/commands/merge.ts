import type { Command } from "commander";
import { examples } from "../arguments.ts";

export function defineMerge(program: Command): void {
  program
    .command("merge")
    .description("write a model with an adapter merged into its weights, as an ordinary model folder")
    .argument("<model>", "the model folder that the adapter was made for")
    .requiredOption("--adapter <folder>", "the adapter, as PEFT writes it (LoRA)")
    .requiredOption("--out <folder>", "where the merged model goes")
    .addHelpText(
      "after",
      examples("qkv merge models/bert --adapter runs/sentiment/adapter --out models/sentiment"),
    )
    .action(async (model: string, { adapter, out }: { adapter: string; out: string }) => {
      const { findModel } = await import("../../tasks/node/shipped.ts");
      const { mergeAdapterFolder } = await import("../../tasks/node/merge-adapter.ts");
      await mergeAdapterFolder(await findModel(model), adapter, out);
      process.stderr.write(`Merged ${adapter} into ${model}: ${out}\n`);
    });
}
