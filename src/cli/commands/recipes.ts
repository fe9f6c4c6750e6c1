import type { Command } from "commander";
import { examples } from "../arguments.ts";
import { print } from "../text-files.ts";

export function defineRecipes(program: Command): void {
  program
    .command("recipes")
    .description("list the recipes and experiments that come with qkv")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples("qkv recipes"))
    .action(async ({ json }: { json?: boolean }) => {
      const { listShippedExperiments, listShippedRecipes } = await import("../../tasks/node/shipped.ts");
      const kinds = [
        { kind: "recipe", command: "train", found: await listShippedRecipes() },
        { kind: "experiment", command: "experiment", found: await listShippedExperiments() },
      ];
      const width = Math.max(...kinds.flatMap(({ found }) => found.map(({ name }) => name!.length))) + 2;
      for (const { kind, command, found } of kinds) {
        if (!json) await print(`${kind}s, for qkv ${command} NAME:\n`);
        for (const { name, path, json: content } of found) {
          const { description = "" } = content as { description?: string };
          await print(
            json
              ? `${JSON.stringify({ kind, name, description, path })}\n`
              : `  ${name!.padEnd(width)}${description}\n`,
          );
        }
      }
    });
}
