import { join, resolve } from "node:path";
import { listParameters } from "../../nn/parameters.ts";
import type { Device, DeviceArray } from "../../runtime/device.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import type { Measured, RunEvent } from "../../training/run-events.ts";
import { QkvError } from "../../util/errors.ts";
import { parseHubName } from "../../weights/hub-name.ts";
import { taskOf } from "../training/table.ts";
import { openModelFolder } from "./model-folder.ts";
import { readModelKind } from "./model-kind.ts";
import { readModelStart } from "./model-start.ts";
import { inspectRunFolder } from "./run-folder.ts";
import { findModel, kindOf, missingFolder } from "./shipped.ts";
import { contextOf } from "./train-model.ts";
import { type Split, TrainingData } from "./training-data.ts";
import { evaluatorOf } from "./training-examples.ts";

/** What to measure a trained model on. */
export interface EvaluateModelOptions {
  /** The folder of a run. */
  readonly run: string;
  /** Which part of its recipe's data. */
  readonly split: Split;
  /** Instead of it: other files of the same kind. */
  readonly files?: readonly string[];
  /** Where the recipe's data lie now; default: where they lay at the training. */
  readonly data?: string;
}

/** Measures the model of a run on a part of its data, as its training measures it. */
export async function evaluateModel(
  device: Device,
  options: EvaluateModelOptions,
  { signal, onEvent }: { readonly signal: AbortSignal; onEvent(event: RunEvent): void },
): Promise<Measured> {
  const { run, split, files } = options;
  const { recipe: known, dataFolder = "." } = await inspectRunFolder(run, true);
  if (known === undefined) throw await noRecipe(run);
  if (known.task === "translation") throw measuredOnFiles(run);
  const recipe = withFiles(split === "test" ? writingAll(known) : known, split, files);
  const task = taskOf(recipe);
  const data = new TrainingData(recipe, task, {
    dataFolder: resolve(options.data ?? dataFolder),
    signal,
    onEvent,
  });
  const start = await readModelStart(await findModel(run), task.head(recipe));
  const context = contextOf(recipe, start, run);
  const evaluator = await evaluatorOf({ task, data, context, onEvent }, split, device, start);
  if (evaluator === undefined) {
    const others = (["train", "validation", "test"] as const).filter(
      (part) => data.filesOf(part).files.length > 0,
    );
    throw new QkvError(
      "option",
      `${join(run, "recipe.json")}: has no ${split} data; got ${others.join(" and ")}; take another part (--split), or ` +
        "name files to measure on (--input)",
    );
  }
  try {
    return await evaluator.measure(await parametersOf(device, run, task.head(recipe)));
  } finally {
    await evaluator.dispose();
  }
}

/** The error for what no recipe is known of: a model that may be used in another way, or none at all. */
async function noRecipe(run: string): Promise<QkvError> {
  const folder = await findModel(run, { localFilesOnly: true }).catch(async (cause: unknown) => {
    // A run is a folder; of the hub only a translator that is in the cache has to be known here.
    if (parseHubName(run) === undefined || (await kindOf(run)) !== undefined) throw cause;
    throw new QkvError("file", `${await missingFolder(run)}; check the path`, { cause });
  });
  const { translates } = await readModelKind(folder);
  if (translates) return measuredOnFiles(run);
  return new QkvError(
    "option",
    `${run}: must be the folder of a run with its recipe; got a model without one`,
  );
}

function measuredOnFiles(run: string): QkvError {
  return new QkvError(
    "option",
    `${run}: a translator is measured with --source FILE and --references FILE; got neither`,
  );
}

/** While it trains, a model writes some of the held-out texts only; the final figure is that of all. */
function writingAll(recipe: ModelRecipe): ModelRecipe {
  if (recipe.task !== "text2text-generation" || recipe.objective.eval_generate_samples === 0) return recipe;
  const objective = { ...recipe.objective, eval_generate_samples: Number.POSITIVE_INFINITY };
  return { ...recipe, objective };
}

function withFiles(recipe: ModelRecipe, split: Split, files: readonly string[] | undefined): ModelRecipe {
  if (files === undefined) return recipe;
  const absolute = files.map((file) => resolve(file));
  return { ...recipe, data: { ...recipe.data, [split]: absolute } };
}

async function parametersOf(
  device: Device,
  folder: string,
  head: Parameters<typeof readModelStart>[1],
): Promise<ReadonlyMap<string, DeviceArray>> {
  const options = { device, head, mapped: false, withoutPooler: true, withTokenizers: false };
  const { model, parameters } = await openModelFolder(folder, options);
  return new Map(
    [...listParameters(model.parameters).keys()].map((address) => [address, parameters.get(address)!]),
  );
}
