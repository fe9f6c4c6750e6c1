import { corpusBleu } from "../../metrics/bleu.ts";
import { corpusRouge } from "../../metrics/rouge.ts";
import { ignoredLabel } from "../../nn/losses.ts";
import { TextToText } from "../text-to-text.ts";
import { perplexityTally } from "./perplexity.ts";
import { smallBart } from "./small-models.ts";
import {
  modelBatch,
  padRows,
  rowsOf,
  type TaskContext,
  type TrainingRecord,
  type TrainingTask,
  type Trial,
  textRows,
  truncatedTo,
} from "./training-task.ts";

type Context = TaskContext<"text2text-generation">;

/** One text for another: a summary, a translation. The decoder is shown the right tokens so far (teacher forcing). */
export const textToTextTraining: TrainingTask<"text2text-generation"> = {
  head: () => "sequence-to-sequence",
  newModel: smallBart,
  fields: () => ({ source: "text", target: "text" }),
  usualColumns: {
    source: ["source", "text", "document", "article", "dialogue", "input"],
    target: ["target", "summary", "highlights", "output"],
  },
  columns: { ids: "ids", labels: "ids" },

  encode({ fields }: TrainingRecord, context: Context) {
    const { source, target } = fields as { source: string; target: string };
    const { tokenizers, recipe } = context;
    const { source_prefix, max_source_length, max_target_length } = recipe.objective;
    const { ids } = tokenizers.source.encode(source_prefix + source, truncatedTo(context, max_source_length));
    const { ids: labels } = tokenizers.target.encode(target, truncatedTo(context, max_target_length));
    return ids.length === 0 || labels.length === 0 ? [] : [{ ids, labels }];
  },

  open: (store, context) => ({
    length: store.length,
    width: (index) => Math.max(store.lengthOf("ids", index), store.lengthOf("labels", index)),
    batch(indices) {
      const labels = rowsOf(store, "labels", indices);
      return encoderDecoderBatch(context, rowsOf(store, "ids", indices), labels);
    },
  }),

  metrics: ({ objective }) =>
    objective.eval_generate_samples === 0
      ? ["perplexity"]
      : ["perplexity", "rouge1", "rouge2", "rougeL", "bleu"],
  tally: perplexityTally,

  async trial(device, opened, { records }, { recipe }: Context): Promise<Trial | undefined> {
    const pairs = records
      .slice(0, recipe.objective.eval_generate_samples)
      .map(({ fields }) => fields as { source: string; target: string });
    if (pairs.length === 0) return undefined;
    const writer = await TextToText.create(device, opened, "training");
    const sources = pairs.map(({ source }) => recipe.objective.source_prefix + source);
    const references = pairs.map(({ target }) => target);
    return {
      async run() {
        const written = (await writer.write(sources, {})).map(({ hypotheses }) => hypotheses[0]!.text);
        const rouge = corpusRouge(written, [references], {
          types: ["rouge1", "rouge2", "rougeL"],
          useStemmer: true,
        });
        const percent = (type: "rouge1" | "rouge2" | "rougeL") => 100 * rouge[type]!.fmeasure;
        return {
          metrics: {
            rouge1: percent("rouge1"),
            rouge2: percent("rouge2"),
            rougeL: percent("rougeL"),
            bleu: corpusBleu(written, [references]).score,
          },
          samples: pairs.slice(0, samplesShown).map(({ source, target }, index) => ({
            source,
            target,
            got: written[index]!,
          })),
        };
      },
      dispose: () => writer.dispose(),
    };
  },
};

/** Validation texts that are told at each validation. */
const samplesShown = 3;

/** A batch for an encoder-decoder; the decoder's input is made of the labels. */
export function encoderDecoderBatch(
  context: TaskContext,
  sources: readonly ArrayLike<number>[],
  labels: readonly ArrayLike<number>[],
) {
  const multiple = context.recipe.training.pad_to_multiple_of;
  const inputs = { ...textRows(context, sources), labels: padRows(labels, ignoredLabel, multiple) };
  const count = labels.reduce((sum, { length }) => sum + length, 0);
  return modelBatch(context.model, inputs, count);
}
