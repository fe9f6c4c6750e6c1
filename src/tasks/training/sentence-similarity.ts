import type { HostInput } from "../../models/family.ts";
import { completeInputs } from "../../models/inputs.ts";
import { contrastiveObjective, pairSides } from "../../training/objectives/contrastive.ts";
import { type Features, featureExtraction } from "../feature-extraction.ts";
import { smallBert } from "./small-models.ts";
import {
  padRows,
  rowsOf,
  type TaskContext,
  type TrainingRecord,
  type TrainingTask,
  type Trial,
  textRows,
  truncatedTo,
} from "./training-task.ts";

type Context = TaskContext<"sentence-similarity">;

/** Vectors of texts: pairs that belong together are nearer than any others of a batch. */
export const similarityTraining: TrainingTask<"sentence-similarity"> = {
  head: () => "base",
  newModel: smallBert,
  columns: { first: "ids", second: "ids" },
  fields: () => ({ text: "text", text_pair: "text" }),

  usualColumns: {
    text: ["text", "sentence1", "query", "question"],
    text_pair: ["text_pair", "sentence2", "positive", "answer"],
  },

  encode({ fields }: TrainingRecord, context: Context) {
    const { text, text_pair } = fields as { text: string; text_pair: string };
    const { max_length } = context.recipe.objective;
    const encode = (own: string) =>
      context.tokenizers.source.encode(own, truncatedTo(context, max_length)).ids;
    const [first, second] = [encode(text), encode(text_pair)];
    return first.length === 0 || second.length === 0 ? [] : [{ first, second }];
  },

  metrics: () => ["recall_at_1", "mrr"],
  objective: (context: Context, mode) => contrastiveObjective(context.model, context.recipe.objective, mode),

  open: (store, context) => ({
    length: store.length,
    width: (index) => Math.max(store.lengthOf("first", index), store.lengthOf("second", index)),
    batch(indices) {
      const inputs: Record<string, HostInput> = {};
      const sides = pairSides.map((side) => rowsOf(store, side, indices));
      // Both sides are equally long, so that one size serves both.
      const width = padRows(sides.flat(), 0, context.recipe.training.pad_to_multiple_of).shape[1]!;
      for (const [index, side] of pairSides.entries()) {
        const own = completeInputs(context.model, textRows(context, sides[index]!, undefined, width));
        for (const [name, value] of Object.entries(own)) inputs[`${side}.${name}`] = value;
      }
      return { inputs, count: indices.length };
    },
  }),
  /** Whether each text finds its partner among the second texts of all pairs. */
  async trial(device, opened, { records }, { recipe }: Context): Promise<Trial> {
    const task = await featureExtraction.open(device, opened, "feature-extraction");
    const pairs = records.map(({ fields }) => fields as { text: string; text_pair: string });
    const options = { pooling: recipe.objective.pooling, normalize: true };
    const vectorsOf = async (texts: readonly string[]) => (await task.run(texts, options, {})) as Features[];
    return {
      async run() {
        const queries = await vectorsOf(pairs.map(({ text }) => text));
        const documents = await vectorsOf(pairs.map(({ text_pair }) => text_pair));
        let [first, reciprocal] = [0, 0];
        queries.forEach(({ data }, query) => {
          const cosines = documents.map((document) => dotProduct(data, document.data));
          // Another pair with the same second text is as right.
          const isOther = (index: number) => pairs[index]!.text_pair !== pairs[query]!.text_pair;
          const place =
            1 + cosines.filter((cosine, index) => isOther(index) && cosine >= cosines[query]!).length;
          if (place === 1) first++;
          reciprocal += 1 / place;
        });
        return { metrics: { recall_at_1: first / pairs.length, mrr: reciprocal / pairs.length } };
      },
      dispose: () => task.dispose(),
    };
  },
};

function dotProduct(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < left.length; index++) sum += left[index]! * right[index]!;
  return sum;
}
