import type { HostInput } from "../../models/family.ts";
import { completeInputs } from "../../models/inputs.ts";
import { contrastiveObjective, pairSides } from "../../training/objectives/contrastive.ts";
import { smallBert } from "./small-models.ts";
import {
  padRows,
  rowsOf,
  type TaskContext,
  type TrainingRecord,
  type TrainingTask,
  textRows,
  truncatedTo,
} from "./training-task.ts";

type Context = TaskContext<"sentence-similarity">;

/** Vectors of texts: pairs that belong together are nearer than any others of a batch. */
export const similarityTraining: TrainingTask<"sentence-similarity"> = {
  head: "base",
  newModel: smallBert,
  columns: { first: "ids", second: "ids" },
  fields: () => ({ text: "text", text_pair: "text" }),

  encode({ fields }: TrainingRecord, context: Context) {
    const { text, text_pair } = fields as { text: string; text_pair: string };
    const { max_length } = context.recipe.objective;
    const encode = (own: string) =>
      context.tokenizers.source.encode(own, truncatedTo(context, max_length)).ids;
    const [first, second] = [encode(text), encode(text_pair)];
    return first.length === 0 || second.length === 0 ? [] : [{ first, second }];
  },

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
};
