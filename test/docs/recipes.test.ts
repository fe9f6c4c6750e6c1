/** The reference of recipes names every key that there is. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { modelRecipeSchemas } from "../../src/training/model-recipe.ts";
import { modelTaskNames } from "../../src/training/model-tasks.ts";
import { translationRecipeSchema } from "../../src/training/translation-recipe.ts";

const page = readFileSync(new URL("../../docs/recipes.md", import.meta.url), "utf8");

/** The keys of a schema's sections. */
function keysOf(schema: { readonly shape: Readonly<Record<string, unknown>> }): string[] {
  return Object.values(schema.shape).flatMap((value) => {
    let inner = value as { unwrap?: () => unknown; shape?: object };
    while (typeof inner.unwrap === "function") inner = inner.unwrap() as typeof inner;
    return Object.keys(inner.shape ?? {});
  });
}

test.each([
  ["translation", translationRecipeSchema] as const,
  ...modelTaskNames.map((name) => [name, modelRecipeSchemas[name]!] as const),
])("%s", (_, schema) => {
  const keys = keysOf(schema);
  expect(keys.length).toBeGreaterThan(20);
  expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
});
