import { join } from "node:path";
import type { DecodingOptions } from "../../generation/decoding-options.ts";
import type { Head } from "../../models/family.ts";
import type { Device } from "../../runtime/device.ts";
import { QkvError } from "../../util/errors.ts";
import { findTask } from "../table.ts";
import { camelCaseKeys, checkText, type Task, type TaskControls, type TaskModel } from "../task.ts";
import { TextToText } from "../text-to-text.ts";
import type { Translation, Translator } from "../translator.ts";
import { openModelFolder } from "./model-folder.ts";
import { noTranslator, ownTranslator, readModelKind } from "./model-kind.ts";
import { readJsonFile } from "./shipped.ts";
import { openTranslator } from "./translation-folder.ts";

/** How a task's model is opened. */
export interface OpenTaskOptions {
  /** The folder of an adapter that the model gets. */
  readonly adapter?: string | undefined;
  /** See `ModelFolderOptions`. */
  readonly prepacking?: boolean | undefined;
}

/** Opens a model folder for a task. @throws QkvError for an unknown task, or a model that is none for it */
export async function openTask(
  device: Device,
  name: string,
  folder: string,
  options: OpenTaskOptions = {},
): Promise<Task> {
  const task = findTask(name);
  if (name.startsWith("translation") && (await modelTypeOf(folder)) === ownTranslator) {
    if (options.adapter !== undefined) throw noAdapters(folder);
    return translationTask(await openTranslator(folder, device));
  }
  return await task.open(device, await openTaskModel(device, folder, task.head, options), name);
}

async function modelTypeOf(folder: string): Promise<unknown> {
  const config = await readJsonFile(join(folder, "config.json"));
  return (config as { model_type?: unknown } | null)?.model_type;
}

/** A translator of our own kind as a task. */
function translationTask(translator: Translator): Task {
  return {
    async run(inputs, options, controls) {
      const texts = inputs.map((input, index) => checkText("translation", input, index));
      const given = camelCaseKeys("translation", options);
      return (await translator.translate(texts, given, undefined, controls)).map(
        ({ hypotheses, truncated }) =>
          hypotheses.map(({ text }) => ({ translation_text: text, ...(truncated && { truncated: true }) })),
      );
    },
    dispose: () => translator.dispose(),
  };
}

/** Our own kind of translator is written down apart from the families, whose models may have adapters. */
function noAdapters(folder: string): QkvError {
  return new QkvError("option", `${folder}: a model of type transformer takes no adapter; leave it out`);
}

async function openTaskModel(
  device: Device,
  folder: string,
  head: Head,
  { adapter, prepacking }: OpenTaskOptions,
): Promise<TaskModel> {
  const { tokenizers, ...opened } = await openModelFolder(folder, {
    ...{ device, head, prepacking, withoutPooler: true },
    ...(adapter !== undefined && { adapter }),
  });
  if (tokenizers === undefined) {
    throw new QkvError(
      "file",
      `${folder}: tasks need a tokenizer; got a folder without one; add the model's tokenizer.json`,
    );
  }
  return { ...opened, tokenizers };
}

/** What translates: a model of our own kind, or one of another family. */
export interface TextTranslator {
  translate(
    texts: readonly string[],
    options: Partial<DecodingOptions>,
    controls: TaskControls,
  ): Promise<Translation[]>;
  dispose(): Promise<void>;
}

/** Opens a model folder that translates. An empty text stays empty, whatever the model. */
export async function openAnyTranslator(
  device: Device,
  folder: string,
  options: OpenTaskOptions = {},
): Promise<TextTranslator> {
  const kind = await readModelKind(folder);
  if (!kind.translates) throw noTranslator(folder, kind);
  if (kind.modelType === ownTranslator) {
    if (options.adapter !== undefined) throw noAdapters(folder);
    const translator = await openTranslator(folder, device);
    return {
      translate: (texts, options, controls) => translator.translate(texts, options, undefined, controls),
      dispose: () => translator.dispose(),
    };
  }
  const opened = await openTaskModel(device, folder, "sequence-to-sequence", options);
  const writer = await TextToText.create(device, opened, "translation");
  return {
    translate: async (texts, options, controls) => {
      const filled = [...texts.keys()].filter((index) => texts[index]!.trim() !== "");
      const nothing = { text: "", score: 0 };
      const results = texts.map((): Translation => ({ ...nothing, hypotheses: [nothing], truncated: false }));
      const { onToken, ...others } = controls;
      const written = await writer.write(
        filled.map((index) => texts[index]!),
        options,
        // An empty text among them shifts the numbers of those after it.
        { ...others, onToken: onToken && ((token) => onToken({ ...token, index: filled[token.index]! })) },
      );
      filled.forEach((index, place) => {
        results[index] = { ...written[place]!.hypotheses[0]!, ...written[place]! };
      });
      return results;
    },
    dispose: () => writer.dispose(),
  };
}
