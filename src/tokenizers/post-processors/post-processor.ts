/** A place in a template: the tokens of a text, or fixed tokens. */
export type TemplatePiece =
  | { readonly kind: "sequence"; readonly index: 0 | 1; readonly typeId: number }
  | {
      readonly kind: "special";
      readonly ids: readonly number[];
      readonly tokens: readonly string[];
      readonly typeId: number;
    };

/** What is put around the tokens of one text or of two. */
export interface Template {
  readonly single: readonly TemplatePiece[];
  readonly pair: readonly TemplatePiece[];
}

/**
 * What happens to tokens after the model: offsets are trimmed to the text without white space, and special
 * tokens are put around. A post-processor is a list of such steps.
 */
export type PostProcessorStep =
  | { readonly kind: "trim"; readonly addPrefixSpace: boolean }
  | {
      readonly kind: "template";
      readonly template: Template;
      /** Whether the type ids of the template also hold where no special tokens are asked for. */
      readonly typesAlways: boolean;
    };

/** Where the type ids of two texts are 0 and 1 and nothing is put around. */
export const plainTemplate: Template = {
  single: [{ kind: "sequence", index: 0, typeId: 0 }],
  pair: [
    { kind: "sequence", index: 0, typeId: 0 },
    { kind: "sequence", index: 1, typeId: 1 },
  ],
};

/** How many tokens the steps put around one text or two. */
export function countAddedTokens(steps: readonly PostProcessorStep[], isPair: boolean): number {
  let count = 0;
  for (const step of steps) {
    if (step.kind !== "template") continue;
    for (const piece of isPair ? step.template.pair : step.template.single) {
      if (piece.kind === "special") count += piece.ids.length;
    }
  }
  return count;
}
