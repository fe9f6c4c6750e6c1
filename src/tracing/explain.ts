/** What a value is, in one sentence, told from its address. The first that fits holds. */
const explanations: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/\.tokens$/, "Embedding: each token's id becomes its vector, times sqrt(model)."],
  [/\.positions$/, "Position: one vector for each place in the sequence, the same for every sentence."],
  [/\.embedded$/, "Embedding and position added: what the first layer reads."],
  [/^encoder\..*selfAttention\.queries$/, "Q = X·W_Q by head: what each source token looks for."],
  [/^encoder\..*selfAttention\.keys$/, "K = X·W_K by head: what each source token offers to be found by."],
  [
    /^encoder\..*selfAttention\.values$/,
    "V = X·W_V by head: what each source token hands over when it is found.",
  ],
  [
    /^encoder\..*selfAttention\.scores$/,
    "Q·Kᵀ/sqrt(d_k): how well each query fits each key, padding not yet masked.",
  ],
  [
    /^encoder\..*selfAttention\.weights$/,
    "softmax of the masked scores: how much each source token attends to each other; rows sum to 1.",
  ],
  [
    /^decoder\..*selfAttention\.queries$/,
    "Q = X·W_Q by head: what each target token looks for among those before it.",
  ],
  [/^decoder\..*selfAttention\.keys$/, "K = X·W_K by head, of the target so far."],
  [/^decoder\..*selfAttention\.values$/, "V = X·W_V by head, of the target so far."],
  [
    /^decoder\..*selfAttention\.scores$/,
    "Q·Kᵀ/sqrt(d_k): the mask that hides later tokens is not yet added.",
  ],
  [
    /^decoder\..*selfAttention\.weights$/,
    "softmax of the masked scores: each target token attends to itself and those before; later ones have weight 0.",
  ],
  [/crossAttention\.queries$/, "Q = X·W_Q by head: what each target token looks for in the source."],
  [/crossAttention\.keys$/, "K = memory·W_K by head: from the encoder's output."],
  [/crossAttention\.values$/, "V = memory·W_V by head: from the encoder's output."],
  [/crossAttention\.scores$/, "Q·Kᵀ/sqrt(d_k): how well each target token fits each source token."],
  [
    /crossAttention\.weights$/,
    "softmax of the masked scores: where in the source each target token looks; the alignment of the translation.",
  ],
  [/Attention\.context$/, "weights·V by head: the mixture of values that each token takes."],
  [/Attention\.output$/, "The heads side by side, times W_O."],
  [/AttentionResidual$/, "Residual: what came in, plus what attention found."],
  [/AttentionNorm$/, "Layer norm: each vector brought to mean 0 and variance 1, then gain and bias."],
  [/feedForward\.inner$/, "Feed-forward, inner layer: activation(x·W1 + b1), at each position by itself."],
  [/feedForward\.output$/, "Feed-forward, outer layer: back to the model's width."],
  [/feedForwardResidual$/, "Residual: what came in, plus what the feed-forward network made of it."],
  [/feedForwardNorm$/, "Layer norm after the feed-forward network."],
  [/layers\.\d+\.output$/, "The layer's output: what the next layer reads."],
  [
    /^encoder\.output$/,
    "The memory: the encoder's hidden state of each source token, which the decoder attends to.",
  ],
  [/^decoder\.output$/, "The decoder's hidden state at each target position."],
  [
    /^logits$/,
    "Scores of every piece of the vocabulary as the next token; their softmax is its probability.",
  ],
  [/^loss$/, "Cross-entropy of the target, summed over its tokens."],
];

/** A sentence that says what the value with this address is. */
export function explain(address: string): string {
  return explanations.find(([pattern]) => pattern.test(address))?.[1] ?? "";
}
