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
      const recipes = [...(await listShippedRecipes()), ...(await listShippedExperiments())];
      const width = Math.max(...recipes.map(({ name }) => name!.length)) + 2;
      for (const { name, path, json: recipe } of recipes) {
        const { description = "" } = recipe as { description?: string };
        await print(
          json
            ? `${JSON.stringify({ name, description, path })}\n`
            : `${name!.padEnd(width)}${description}\n`,
        );
      }
    });
}
