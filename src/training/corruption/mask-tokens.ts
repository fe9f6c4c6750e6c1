import { ignoredLabel } from "../../nn/losses.ts";
import type { RandomStream } from "../../util/random.ts";

/** How tokens are hidden for a model that is to guess them. */
export interface MaskingOptions {
  /** The probability that a token is chosen. */
  readonly probability: number;
  /** The token that stands for hidden ones. */
  readonly maskId: number;
  /** Replacements are drawn from all ids below. */
  readonly vocabSize: number;
  /** Tokens that are never chosen, such as those around and between texts. */
  readonly isSpecial: (id: number) => boolean;
}

/** What the model reads, and at each place the token that it is to guess there, or -100. */
export interface MaskedTokens {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
}

/**
 * Hides tokens. Of those that are chosen, 80 in 100 become the mask, 10 any token, and 10 stay as they are.
 * Where none was chosen, one is, so that every text teaches something.
 * @returns both of the length of `ids`
 * Source: Devlin et al., 2019, 3.1, Task 1.
 */
export function maskTokens(
  ids: ArrayLike<number>,
  { probability, maskId, vocabSize, isSpecial }: MaskingOptions,
  random: RandomStream,
): MaskedTokens {
  const inputIds = Int32Array.from(ids);
  const labels = new Int32Array(ids.length).fill(ignoredLabel);
  const hide = (place: number) => {
    labels[place] = ids[place]!;
    const way = random.uniform();
    if (way < 0.8) inputIds[place] = maskId;
    else if (way < 0.9) inputIds[place] = random.below(vocabSize);
  };
  const candidates: number[] = [];
  let chosen = 0;
  for (let place = 0; place < ids.length; place++) {
    if (isSpecial(ids[place]!)) continue;
    candidates.push(place);
    if (random.uniform() >= probability) continue;
    hide(place);
    chosen++;
  }
  if (chosen === 0 && candidates.length > 0) hide(candidates[random.below(candidates.length)]!);
  return { inputIds, labels };
}
