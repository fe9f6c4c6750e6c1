import { tokenStream } from "../../data/packing.ts";
import { ignoredLabel } from "../../nn/losses.ts";
import { textGeneration } from "../text-generation.ts";
import { textTally } from "./perplexity.ts";
import { smallGpt2 } from "./small-models.ts";
import { blockLengthOf, encodePieces, textsOf } from "./text-blocks.ts";
import {
  modelBatch,
  padRows,
  type TaskContext,
  type TrainingTask,
  type Trial,
  textRows,
} from "./training-task.ts";

type Context = TaskContext<"text-generation">;

/**
 * The next token at every position. Texts follow one another; a row is a block of them, and its labels are the same
 * tokens one place on, so that no position goes without.
 * Source: Radford et al., 2018, 3.1.
 */
export const nextTokenTraining: TrainingTask<"text-generation"> = {
  head: () => "causal-lm",
  newModel: smallGpt2,
  columns: { ids: "ids" },
  fields: () => ({ text: "string" }),
  encode: encodePieces,

  open(store, context: Context, purpose = "training") {
    const { block_size, sampling } = context.recipe.objective;
    const size = blockLengthOf(context, block_size, 0);
    const stream = tokenStream(textsOf(store));
    const isWindows = sampling === "windows" && purpose === "training";
    /** The first position of a row, and how many tokens are predicted in it. */
    const startOf = (index: number) => (isWindows ? index : index * size);
    const widthOf = (index: number) => Math.min(size, stream.length - 1 - startOf(index));
    const predicted = Math.max(0, stream.length - 1);
    return {
      length: isWindows ? Math.max(0, predicted - size + 1) : Math.ceil(predicted / size),
      width: widthOf,
      batch(indices) {
        const rows = Array.from(indices, (index) => {
          const start = startOf(index);
          return stream.slice(start, start + widthOf(index) + 1);
        });
        const multiple = context.recipe.training.pad_to_multiple_of;
        const inputs = textRows(
          context,
          rows.map((row) => row.subarray(0, -1)),
        );
        const next = rows.map((row) => row.subarray(1));
        const count = next.reduce((sum, { length }) => sum + length, 0);
        const { inputs: complete } = modelBatch(context.model, inputs, count);
        // The labels stand at the positions that predict them already, as the graph takes them.
        return { inputs: { ...complete, labels: padRows(next, ignoredLabel, multiple) }, count };
      },
    };
  },
  metrics: () => ["perplexity", "bits_per_byte"],
  tally(heldOut) {
    const { length } = tokenStream(textsOf(heldOut.store));
    return textTally(heldOut, Math.max(0, length - 1));
  },

  async trial(device, opened, { records }): Promise<Trial | undefined> {
    if (opened.model.generation === undefined) return undefined;
    const task = await textGeneration.open(device, opened, "text-generation");
    const text = records.map(({ fields }) => fields.text as string).find((own) => own.trim() !== "") ?? "";
    // Cut at a blank, so that the model goes on with whole words.
    const prompt = text.slice(0, 60).replace(/\S*$/, "").trimEnd() || text.slice(0, 20);
    const target = text.slice(prompt.length, prompt.length + 200);
    return {
      async run() {
        const options = {
          maxNewTokens: 100,
          doSample: true,
          temperature: 0.8,
          seed: 1,
          returnFullText: false,
        };
        const [written] = (await task.run([prompt], options, {})) as [[{ generated_text: string }]];
        return { metrics: {}, samples: [{ source: prompt, target, got: written[0].generated_text }] };
      },
      dispose: () => task.dispose(),
    };
  },
};
