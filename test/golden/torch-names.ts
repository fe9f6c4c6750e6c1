import type { Transformer } from "../../src/models/transformer.ts";
import type { TransformerConfig } from "../../src/models/transformer-config.ts";
import { mapParameters, type ParameterSpec } from "../../src/nn/parameters.ts";

/** The configuration that a golden of torch.nn.Transformer was made with, in our words. */
export function configOfGolden(json: Record<string, unknown>): TransformerConfig {
  const number = (key: string) => json[key] as number;
  return {
    sourceVocabSize: number("src_vocab_size"),
    targetVocabSize: number("tgt_vocab_size"),
    modelDim: number("d_model"),
    headCount: number("nhead"),
    feedForwardDim: number("dim_feedforward"),
    encoderLayerCount: number("num_encoder_layers"),
    decoderLayerCount: number("num_decoder_layers"),
    maxPositions: number("max_len"),
    positions: "sinusoidal",
    activation: json.activation as "relu" | "gelu",
    norm: json.norm_first ? "before" : "after",
    finalNorm: json.final_norm as boolean,
    embeddingNorm: false,
    normEpsilon: number("layer_norm_eps"),
    scaleEmbedding: json.scale_embedding as boolean,
    sharedEmbeddings: json.tie_embeddings ? "all" : "none",
    outputBias: json.generator_bias as boolean,
    dropout: 0,
    attentionDropout: 0,
    activationDropout: 0,
    padTokenId: number("pad_token_id"),
    bosTokenId: number("bos_token_id"),
    eosTokenId: number("eos_token_id"),
  };
}

const layerNames: Record<string, string> = {
  "selfAttention.output": "self_attn.out_proj",
  "crossAttention.output": "multihead_attn.out_proj",
  "feedForward.inner": "linear1",
  "feedForward.outer": "linear2",
  selfAttentionNorm: "norm1",
};

/** Where a parameter of ours lies in a checkpoint of torch.nn.Transformer: a tensor and, of packed ones, which third. */
export function torchName(address: string): { name: string; third?: number } {
  if (address === "encoder.embedding") return { name: "src_embed.weight" };
  if (address === "decoder.embedding") return { name: "tgt_embed.weight" };
  if (address.startsWith("output.")) return { name: `generator.${address.slice(7)}` };
  const leaf = address.endsWith(".bias") ? "bias" : "weight";
  const [stack, rest] = [
    address.split(".")[0]!,
    address.slice(address.indexOf(".") + 1, address.lastIndexOf(".")),
  ];
  if (rest === "finalNorm") return { name: `transformer.${stack}.norm.${leaf}` };
  const [, index, inside] = /^layers\.(\d+)\.(.*)$/.exec(rest)!;
  const prefix = `transformer.${stack}.layers.${index}`;
  const packed = /^(self|cross)Attention\.(query|key|value)$/.exec(inside!);
  if (packed !== null) {
    const module = packed[1] === "self" ? "self_attn" : "multihead_attn";
    return {
      name: `${prefix}.${module}.in_proj_${leaf}`,
      third: ["query", "key", "value"].indexOf(packed[2]!),
    };
  }
  const norm = inside === "feedForwardNorm" ? (stack === "encoder" ? "norm2" : "norm3") : "norm2";
  return { name: `${prefix}.${layerNames[inside!] ?? norm}.${leaf}` };
}

/** Cuts our parameter's values out of a torch checkpoint. */
export function fromTorch(address: string, tensors: (name: string) => Float32Array): Float32Array {
  const { name, third } = torchName(address);
  const values = tensors(name);
  if (third === undefined) return values;
  const size = values.length / 3;
  return values.slice(third * size, (third + 1) * size);
}

export function torchParameters(
  parameters: Transformer<ParameterSpec>,
  tensors: (name: string) => Float32Array,
) {
  const values = new Map<string, Float32Array>();
  mapParameters(parameters, (_, address) => values.set(address, fromTorch(address, tensors)));
  return values;
}
