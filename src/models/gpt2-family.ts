import { equal, not, scalar } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { classCrossEntropy, ignoredLabel } from "../nn/losses.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { type CheckpointNames, linearNames, normNames } from "../weights/checkpoint-names.ts";
import { architectureOf, type Family, type HostInput, layerAddresses, type Model } from "./family.ts";
import { type Gpt2, gpt2Generation, gpt2Graph, gpt2Parameters } from "./gpt2.ts";
import { gpt2ConfigKeys, parseGpt2Config } from "./gpt2-config.ts";
import { filledLike, textInputs } from "./inputs.ts";
import { gpt2Tokenizer } from "./new-tokenizer.ts";

const base = "transformer.";
const layer = `${base}h.{layer}`;
const gpt2Names: CheckpointNames = {
  base,
  tensors: {
    embedding: `${base}wte.weight`,
    positions: `${base}wpe.weight`,
    ...normNames("layers.{layer}.attentionNorm", `${layer}.ln_1`),
    ...linearNames("layers.{layer}.attention.queryKeyValue", `${layer}.attn.c_attn`),
    ...linearNames("layers.{layer}.attention.output", `${layer}.attn.c_proj`),
    ...normNames("layers.{layer}.feedForwardNorm", `${layer}.ln_2`),
    ...linearNames("layers.{layer}.feedForward.inner", `${layer}.mlp.c_fc`),
    ...linearNames("layers.{layer}.feedForward.outer", `${layer}.mlp.c_proj`),
    ...normNames("finalNorm", `${base}ln_f`),
    // Where it is tied: the table of embeddings once more.
    output: "lm_head.weight",
  },
  ignored: [
    // The causal mask, and the number that stands for minus infinity.
    `${layer}.attn.bias`,
    `${layer}.attn.masked_bias`,
  ],
};

/** At each position the label of the next one, and none at the last: what a position predicts. */
export function nextLabels({ data, shape }: HostInput): HostInput {
  const width = shape.at(-1)!;
  return filledLike({ data, shape }, (index) =>
    index % width === width - 1 ? ignoredLabel : data[index + 1]!,
  );
}

export const gpt2: Family = {
  modelType: "gpt2",
  configKeys: gpt2ConfigKeys,
  newTokenizer: gpt2Tokenizer,
  architectures: { GPT2Model: "base", GPT2LMHeadModel: "causal-lm" },
  createModel(json, head, _options, where): Model<Gpt2<ParameterSpec>> {
    const config = parseGpt2Config(json, where);
    const labels = {
      dtype: "int32",
      dims: [dim("batch"), dim("sequence")],
      below: config.vocabSize,
      ignored: ignoredLabel,
      adapt: nextLabels,
    } as const;
    const parameters = gpt2Parameters(config, head === "causal-lm");
    return {
      modelType: "gpt2",
      architecture: architectureOf(gpt2, head),
      head,
      config,
      parameters,
      names: gpt2Names,
      inputs: { ...textInputs(config), ...(head === "causal-lm" && { labels }) },
      forward(parameters: Gpt2<Tensor>, inputs, mode = "inference") {
        const graph = gpt2Graph(config, mode);
        const present = not(equal(inputs.attentionMask!, scalar(0, "int32")));
        const hidden = graph.hidden(parameters, inputs.inputIds!, present, inputs.positionIds);
        if (head === "base") return { lastHiddenState: hidden };
        const logits = graph.logits(parameters, hidden);
        if (inputs.labels === undefined) return { logits };
        const weight = graph.outputTable(parameters);
        return { logits, loss: classCrossEntropy(hidden, { weight }, inputs.labels) };
      },
      // The last hidden state is the one after the final norm.
      layerOutputs: {
        hidden_states: [
          "embedded",
          ...layerAddresses("layers.{layer}.output", config.layerCount - 1),
          "output",
        ],
        attentions: layerAddresses("layers.{layer}.attention.weights", config.layerCount),
      },
      ...(head === "causal-lm" && { generation: gpt2Generation(config, parameters) }),
    };
  },
};
