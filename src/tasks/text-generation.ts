import type { DecodingOptions } from "../generation/decoding-options.ts";
import { QkvError } from "../util/errors.ts";
import { decodingOfModel, snakeCaseKeys } from "./decoding-of-model.ts";
import {
  camelCaseKeys,
  checkText,
  type TaskDefinition,
  type TaskModel,
  type Truncation,
  textOf,
} from "./task.ts";
import { TextGenerator } from "./text-generator.ts";

const where = "text-generation";

/** Generation options, in either spelling, and what is told. */
export interface TextGenerationOptions extends Partial<DecodingOptions> {
  /** Whether the prompt is a part of the result. Default: true. */
  readonly returnFullText?: boolean;
}

export interface GeneratedText {
  readonly generated_text: string;
  /** Only where the prompt was longer than the model reads: its beginning was left out. */
  readonly truncated?: true;
}

/** Goes on from texts. */
export const textGeneration: TaskDefinition = {
  head: "causal-lm",
  async open(device, opened) {
    const generator = await TextGenerator.create(device, opened, "causal");
    const { source, target } = opened.tokenizers;
    return {
      async run(inputs, given, controls) {
        const { returnFullText = true, ...others } = camelCaseKeys(where, given);
        if (typeof returnFullText !== "boolean") {
          throw new QkvError(
            "option",
            `${where}: returnFullText must be true or false; got ${returnFullText}`,
          );
        }
        const decoding = decodingOfModel(opened, snakeCaseKeys(others), taskParameters(opened));
        const texts = inputs.map((input, index) => checkText(where, input, index));
        const truncated = new Set<number>();
        const prompts = texts.map((text, index) => {
          const ids = startOf(opened, source.encodeIds(text));
          const kept = withRoom(ids, opened, decoding);
          if (kept === ids) return ids;
          truncated.add(index);
          const truncation: Truncation = { index, tokens: ids.length, limit: kept.length };
          controls.onTruncated?.(truncation);
          return kept;
        });
        const decode = (ids: readonly number[]) => textOf(target, ids);
        const before = prompts.map((prompt) => decode(prompt).length);
        const written = (index: number, tokens: readonly number[]) =>
          decode([...prompts[index]!, ...tokens]).slice(before[index]!);
        const found = await generator.generate(prompts, decoding, controls, written);
        return found.map((hypotheses, index) =>
          hypotheses.map(
            ({ tokens }): GeneratedText => ({
              generated_text: (returnFullText ? texts[index]! : "") + written(index, tokens),
              ...(truncated.has(index) && { truncated: true }),
            }),
          ),
        );
      },
      dispose: () => generator.dispose(),
    };
  },
};

/** An empty text starts from the token that begins texts. */
function startOf({ model, folder }: TaskModel, ids: number[]): number[] {
  if (ids.length > 0) return ids;
  const start = model.config.bosTokenId ?? model.config.eosTokenId;
  if (start !== undefined) return [start];
  throw new QkvError("data", `${where}: ${folder} has no token that begins a text; give a prompt`);
}

/** The end of a prompt that leaves no room for what shall be written. */
function withRoom(ids: number[], { model }: TaskModel, { maxNewTokens = 1 }: Partial<DecodingOptions>) {
  const { maxPositions } = model.config;
  if (ids.length < maxPositions) return ids;
  const room = Math.min(maxNewTokens, Math.ceil(maxPositions / 2));
  return ids.slice(-(maxPositions - room));
}

function taskParameters({ config }: TaskModel): Record<string, unknown> {
  const all = config.task_specific_params as Record<string, Record<string, unknown>> | null | undefined;
  return all?.[where] ?? {};
}
