import type { DecodingOptions } from "../generation/decoding-options.ts";
import type { Device } from "../runtime/device.ts";
import { decodingOfModel, snakeCaseKeys } from "./decoding-of-model.ts";
import {
  camelCaseKeys,
  checkText,
  encodeWithin,
  type TaskControls,
  type TaskDefinition,
  type TaskModel,
  textOf,
} from "./task.ts";
import { TextGenerator } from "./text-generator.ts";

/** What was written for one text. */
export interface WrittenText {
  /** The best texts, as many as numReturnSequences asks for. */
  readonly hypotheses: readonly { readonly text: string; readonly score: number }[];
  readonly truncated: boolean;
}

/** Reads texts and writes others. */
export class TextToText {
  readonly #opened: TaskModel;
  readonly #generator: TextGenerator;
  readonly #ofTask: Readonly<Record<string, unknown>>;

  private constructor(opened: TaskModel, generator: TextGenerator, ofTask: Record<string, unknown>) {
    this.#opened = opened;
    this.#generator = generator;
    this.#ofTask = ofTask;
  }

  /** @param task - where config.json has options and a prefix for it, as T5's does, these are used */
  static async create(device: Device, opened: TaskModel, task: string): Promise<TextToText> {
    const all = opened.config.task_specific_params as
      | Record<string, Record<string, unknown>>
      | null
      | undefined;
    const generator = await TextGenerator.create(device, opened, "sequence-to-sequence");
    return new TextToText(opened, generator, all?.[task] ?? {});
  }

  /** @param options - generation options in either spelling; those that are undefined count as absent */
  async write(
    texts: readonly string[],
    options: unknown,
    controls: TaskControls = {},
  ): Promise<WrittenText[]> {
    const given = snakeCaseKeys(camelCaseKeys("options", options));
    const decoding: Partial<DecodingOptions> = decodingOfModel(this.#opened, given, this.#ofTask);
    const { prefix } = this.#ofTask;
    const truncated = new Set<number>();
    const onTruncated: TaskControls["onTruncated"] = (truncation) => {
      truncated.add(truncation.index);
      controls.onTruncated?.(truncation);
    };
    const sources = texts.map((text, index) => {
      const whole = typeof prefix === "string" ? prefix + text : text;
      return encodeWithin(this.#opened, whole, index, { ...controls, onTruncated }).ids;
    });
    const { target } = this.#opened.tokenizers;
    const written = (_: number, tokens: readonly number[]) => textOf(target, tokens).trim();
    const found = await this.#generator.generate(sources, decoding, controls, written);
    return found.map((hypotheses, index) => ({
      hypotheses: hypotheses.map(({ tokens, score }) => ({ text: written(index, tokens), score })),
      truncated: truncated.has(index),
    }));
  }

  async dispose(): Promise<void> {
    await this.#generator.dispose();
  }
}

/** A task whose results are texts under a key of their own. */
export function textToTextTask(key: "summary_text" | "translation_text" | "generated_text"): TaskDefinition {
  return {
    head: "sequence-to-sequence",
    async open(device, opened, name) {
      const writer = await TextToText.create(device, opened, name);
      return {
        async run(inputs, options, controls) {
          const texts = inputs.map((input, index) => checkText(name, input, index));
          const written = await writer.write(texts, options, controls);
          return written.map(({ hypotheses, truncated }) =>
            hypotheses.map(({ text }) => ({ [key]: text, ...(truncated && { truncated: true }) })),
          );
        },
        dispose: () => writer.dispose(),
      };
    },
  };
}
