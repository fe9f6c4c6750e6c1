import { z } from "zod";
import { QkvError } from "../util/errors.ts";
import { ForwardPass } from "./forward-pass.ts";
import { maskTokenOf } from "./mask-token.ts";
import { largestPlaces, softmax } from "./probabilities.ts";
import { checkText, encodeWithin, readTaskOptions, type TaskDefinition, textOf } from "./task.ts";

const where = "fill-mask";
const schema = z.object({
  /** How many tokens to tell for a mask. */
  topK: z.int().positive().default(5),
});
export type FillMaskOptions = z.input<typeof schema>;

/** A token for a mask. */
export interface MaskFilling {
  readonly score: number;
  readonly token: number;
  readonly token_str: string;
  /** The text with the token in the mask's place. */
  readonly sequence: string;
}

/** Guesses the token under a mask, `[MASK]` or `<mask>`. A text with several masks gives a list for each. */
export const fillMask: TaskDefinition = {
  head: "masked-lm",
  async open(device, opened) {
    const tokenizer = opened.tokenizers.source;
    const mask = maskTokenOf(tokenizer, opened.folder);
    const pass = await ForwardPass.create(device, opened, ["logits"]);
    return {
      async run(inputs, options, controls) {
        const { topK } = readTaskOptions(where, schema, options);
        const encodings = inputs.map((input, index) => {
          const encoding = encodeWithin(opened, checkText(where, input, index), index, controls);
          if (encoding.ids.includes(mask.id)) return encoding;
          throw new QkvError(
            "data",
            `${where}: text ${index + 1} must hold ${mask.content} among the tokens that the model reads; ` +
              `got ${shortened(input as string)}; put ${mask.content} where a word is missing`,
          );
        });
        const results = new Array<unknown>(inputs.length);
        await pass.run(encodings, controls, (index, { logits }) => {
          const { ids } = encodings[index]!;
          const places = [...ids.keys()].filter((place) => ids[place] === mask.id);
          const fillings = places.map((place) => {
            const scores = softmax(logits.data.subarray(place * logits.width, (place + 1) * logits.width));
            return largestPlaces(scores, topK).map((token): MaskFilling => {
              const filled = ids.map((id, other) => (other === place ? token : id));
              return {
                score: scores[token]!,
                token,
                token_str: textOf(tokenizer, [token], false),
                sequence: textOf(tokenizer, filled),
              };
            });
          });
          results[index] = fillings.length === 1 ? fillings[0] : fillings;
        });
        return results;
      },
      dispose: () => pass.dispose(),
    };
  },
};

const shortened = (text: string): string =>
  JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
