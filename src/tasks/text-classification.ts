import { z } from "zod";
import { QkvError } from "../util/errors.ts";
import { ForwardPass } from "./forward-pass.ts";
import { largestPlaces, sigmoid, softmax } from "./probabilities.ts";
import { encodeWithin, readTaskOptions, type TaskDefinition, type TaskModel } from "./task.ts";

const where = "text-classification";
const functions = ["softmax", "sigmoid", "none"] as const;
const schema = z.object({
  /** How many labels to tell, the likeliest first; null = all. */
  topK: z.int().positive().nullable().default(1),
  /** What makes scores of the model's numbers; default: what its config.json implies. */
  functionToApply: z.enum(functions).optional(),
});
export type TextClassificationOptions = z.input<typeof schema>;

/** A text, or two that are read together. */
export type ClassifiedText = string | { readonly text: string; readonly text_pair?: string };

export interface Classification {
  readonly label: string;
  readonly score: number;
  /** Only where the text was longer than the model reads. */
  readonly truncated?: true;
}

/** Tells the labels of whole texts. */
export const textClassification: TaskDefinition = {
  head: "sequence-classification",
  async open(device, opened) {
    const labels = opened.model.config.labels ?? [];
    const pass = await ForwardPass.create(device, opened, ["logits"]);
    return {
      async run(inputs, options, controls) {
        const { topK, functionToApply = impliedFunction(opened) } = readTaskOptions(where, schema, options);
        const truncated = new Set<number>();
        const onTruncated: typeof controls.onTruncated = (truncation) => {
          truncated.add(truncation.index);
          controls.onTruncated?.(truncation);
        };
        const encodings = inputs.map((input, index) => {
          const { text, text_pair: pair } = textsOf(input, index);
          return encodeWithin(opened, text, index, { ...controls, onTruncated }, pair);
        });
        const results = new Array<readonly Classification[]>(inputs.length);
        await pass.run(encodings, controls, (index, { logits: { data } }) => {
          const scores = { softmax, sigmoid, none: (own: Float32Array) => own.slice() }[functionToApply](
            data,
          );
          results[index] = largestPlaces(scores, topK ?? labels.length).map((place) => ({
            label: labels[place]!,
            score: scores[place]!,
            ...(truncated.has(index) && { truncated: true }),
          }));
        });
        return results;
      },
      dispose: () => pass.dispose(),
    };
  },
};

/** As Hugging Face decides it. */
function impliedFunction({ config, model }: TaskModel): (typeof functions)[number] {
  if (config.problem_type === "regression") return "none";
  const isSingle = config.problem_type !== "multi_label_classification" && model.config.labels?.length !== 1;
  return isSingle ? "softmax" : "sigmoid";
}

function textsOf(input: unknown, index: number): { text: string; text_pair?: string } {
  if (typeof input === "string") return { text: input };
  const { text, text_pair } = (input ?? {}) as Record<string, unknown>;
  if (typeof text === "string" && text_pair === undefined) return { text };
  if (typeof text === "string" && typeof text_pair === "string") return { text, text_pair };
  throw new QkvError(
    "data",
    `${where}: input ${index + 1} must be a text or { text, text_pair }; got ${JSON.stringify(input)}`,
  );
}
