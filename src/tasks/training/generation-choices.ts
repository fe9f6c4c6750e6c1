import { generationKeys, readGenerationOptions } from "../../generation/generation-config.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { didYouMean, QkvError } from "../../util/errors.ts";

/**
 * Checks what a recipe says of generation. A checkpoint's file may hold keys that nobody knows and that do nothing.
 * @throws QkvError "config" or "option" for what looks like a slip of the pen, is not supported or out of range
 */
export function checkGeneration({ generation }: Pick<ModelRecipe, "generation">): void {
  const unknown = Object.keys(generation).filter((key) => !generationKeys.includes(key));
  const slip = unknown.find((key) => didYouMean(key, generationKeys) !== "");
  if (slip !== undefined) {
    const near = didYouMean(slip, generationKeys);
    throw new QkvError("config", `recipe: generation: unknown option "${slip}"${near}`);
  }
  readGenerationOptions(generation, { where: "recipe: generation", unknownKeys: "ignore" });
}
