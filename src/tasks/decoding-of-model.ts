import type { DecodingOptions } from "../generation/decoding-options.ts";
import {
  completeGenerationOptions,
  generationOptionsOfModelConfig,
  readGenerationOptions,
} from "../generation/generation-config.ts";
import { snakeCase } from "../util/spelling.ts";
import type { TaskModel } from "./task.ts";

/**
 * All generation options of a call.
 * @param given - those of the call, under Hugging Face's names
 * @param ofTask - what the model's config.json says of the task; it is stronger than the folder's own options
 */
export function decodingOfModel(
  { folder, config, generationConfig }: Pick<TaskModel, "folder" | "config" | "generationConfig">,
  given: unknown,
  ofTask: Readonly<Record<string, unknown>> = {},
): Partial<DecodingOptions> {
  const hasFile = Object.keys(generationConfig).length > 0;
  const file = hasFile ? generationConfig : generationOptionsOfModelConfig(config);
  const where = `${folder}/${hasFile ? "generation_config.json" : "config.json"}`;
  const ofModel = readGenerationOptions(
    { ...file, ...generationOptionsOfModelConfig(ofTask) },
    { where, unknownKeys: "ignore" },
  );
  return completeGenerationOptions(
    ofModel,
    readGenerationOptions(given, { where: "options", unknownKeys: "refuse" }),
  );
}

/** Options with every name as files spell it. */
export function snakeCaseKeys(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [snakeCase(key), value]));
}
