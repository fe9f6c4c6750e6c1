import { copyFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { mergeAdapters } from "../../models/lora.ts";
import { listParameters } from "../../nn/parameters.ts";
import { tokenizerFileNames } from "../../tokenizers/files/folder.ts";
import { QkvError } from "../../util/errors.ts";
import { errorCode, fileError } from "../../util/node/file-error.ts";
import { openModelFolder, type ReadableArrays, writeModelFolder } from "./model-folder.ts";

/**
 * Writes a model with an adapter merged into its weights, as an ordinary model folder with the tokenizer of the model.
 * @throws QkvError "option" where the result would lie where one of them lies
 */
export async function mergeAdapterFolder(folder: string, adapter: string, out: string): Promise<void> {
  if ([folder, adapter].some((path) => resolve(path) === resolve(out))) {
    throw new QkvError("option", `merge: needs a folder of its own for the result; got ${out}`);
  }
  const { model, config, weights, adaptation } = await openModelFolder(folder, {
    adapter,
    mapped: false,
    withTokenizers: false,
  });
  const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [address, { dims }] of listParameters(model.parameters)) {
    const { data } = weights.fixedParameters!(address, dims) as { data: Float32Array };
    values.set(address, { shape: dims.map(({ size }) => size as number), data });
  }
  const merged: ReadableArrays = new Map(
    [...mergeAdapters(adaptation!, values)].map(([address, { shape, data }]) => [
      address,
      { shape, read: async () => data },
    ]),
  );
  await mkdir(out, { recursive: true });
  await writeModelFolder(out, { model: adaptation!.base, config }, merged);
  for (const name of [...tokenizerFileNames, "generation_config.json"]) {
    await copyFile(join(folder, name), join(out, name)).catch((cause: unknown) => {
      if (errorCode(cause) !== "ENOENT") throw fileError(join(out, name), "cannot write", cause);
    });
  }
}
