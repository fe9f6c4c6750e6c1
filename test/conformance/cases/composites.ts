import * as build from "../../../src/graph/build.ts";
import { type Dim, dim } from "../../../src/graph/dims.ts";
import { recordAddresses } from "../../../src/graph/scope.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { transformerGraph, transformerParameters } from "../../../src/models/transformer.ts";
import type { TransformerConfig } from "../../../src/models/transformer-config.ts";
import {
  attendWithCache,
  attentionParameters,
  causalMask,
  multiHeadAttention,
  paddingMask,
} from "../../../src/nn/attention.ts";
import {
  embedding,
  embeddingParameters,
  feedForward,
  feedForwardParameters,
  layerNorm,
  layerNormParameters,
} from "../../../src/nn/layers.ts";
import { type MapLeaves, mapParameters } from "../../../src/nn/parameters.ts";
import { positionsOf, sinusoidTable } from "../../../src/nn/positions.ts";
import type { Case, CaseBuilder } from "../case.ts";

const lengths = { batch: 2, sequence: 3, memory: 2, head: 2, headDim: 2, inner: 5, words: 4 };
const large = { batch: 6, sequence: 17, memory: 13, head: 4, headDim: 8, inner: 64, words: 50 };

const modelAxis = (make: CaseBuilder): Dim => dim("model", make.length("head") * make.length("headDim"));
/** Padding and one word at least. */
const vocabSize = (make: CaseBuilder): number => make.length("words") + 1;
const states = (make: CaseBuilder, name: string, sequence = "sequence"): Tensor =>
  make.float(name, [make.axis("batch"), make.axis("sequence", sequence), modelAxis(make)]);

/** The parameters of a layer as values of the case, so large that a layer's results are about as large as its inputs. */
function bind<Tree>(make: CaseBuilder, name: string, tree: Tree): MapLeaves<Tree, Tensor> {
  return mapParameters(tree, (spec, address) => {
    const deviation = 1 / Math.sqrt(spec.dims.at(-1)!.size as number);
    return make.parameter(`${name}.${address}`, spec.dims, (random) => deviation * random.normal());
  });
}

const padding = 0;

/** Ids that end in padding; the first of a row never is, since a softmax over nothing has no meaning. */
function paddedIds(make: CaseBuilder, name: string, sequence: string): { ids: Tensor; present: Tensor } {
  const length = make.length(sequence);
  let place = 0;
  let end = length;
  const ids = make.whole(name, [make.axis("batch"), make.axis("sequence", sequence)], (random) => {
    if (place === 0) end = 1 + random.below(length);
    const id = place < end ? 1 + random.below(make.length("words")) : padding;
    place = (place + 1) % length;
    return id;
  });
  return { ids, present: build.not(build.equal(ids, build.scalar(padding, "int32"))) };
}

const attention = (name: string, dropout: number, kind: "padding" | "causal" | "cross"): Case => ({
  name: `attention: ${name}`,
  lengths,
  large,
  build: (make) => {
    const x = states(make, "x");
    const memory = kind === "cross" ? states(make, "memory", "memory") : x;
    const { present } = paddedIds(make, "ids", kind === "cross" ? "memory" : "sequence");
    const mask = kind === "causal" ? causalMask(present) : paddingMask(present);
    const parameters = bind(make, "attention", attentionParameters(modelAxis(make)));
    const { result, addresses } = recordAddresses(() =>
      multiHeadAttention("layer", parameters, x, memory, mask, { headCount: make.length("head"), dropout }),
    );
    return [result, addresses.get("layer.weights")!];
  },
});

const sublayer = (norm: "before" | "after", activation: "relu" | "gelu", dropout: number): Case => ({
  name: `feed-forward ${activation}, residual, layer norm ${norm}${dropout > 0 ? ", dropout" : ""}`,
  lengths,
  large,
  build: (make) => {
    const x = states(make, "x");
    const inner = bind(make, "feedForward", feedForwardParameters(modelAxis(make), make.length("inner")));
    const gains = bind(make, "norm", layerNormParameters(modelAxis(make)));
    const apply = (value: Tensor) => feedForward(inner, value, { activation, dropout });
    return norm === "before"
      ? build.add(x, apply(layerNorm(gains, x, 1e-5)))
      : layerNorm(gains, build.add(x, apply(x)), 1e-5);
  },
});

const config = (make: CaseBuilder, changes: Partial<TransformerConfig>): TransformerConfig => ({
  sourceVocabSize: vocabSize(make),
  targetVocabSize: vocabSize(make),
  modelDim: modelAxis(make).size as number,
  headCount: make.length("head"),
  feedForwardDim: make.length("inner"),
  encoderLayerCount: 1,
  decoderLayerCount: 1,
  maxPositions: Math.max(make.length("sequence"), make.length("memory")),
  positions: "sinusoidal",
  activation: "relu",
  norm: "after",
  finalNorm: false,
  embeddingNorm: false,
  normEpsilon: 1e-5,
  scaleEmbedding: true,
  sharedEmbeddings: "all",
  outputBias: false,
  dropout: 0,
  attentionDropout: 0,
  activationDropout: 0,
  padTokenId: padding,
  bosTokenId: 1,
  eosTokenId: 2,
  ...changes,
});

const transformer = (name: string, changes: Partial<TransformerConfig>, labelSmoothing: number): Case => ({
  name: `transformer: ${name}`,
  lengths,
  large,
  build: (make) => {
    const settings = config(make, changes);
    const parameters = bind(make, "model", transformerParameters(settings));
    const model = transformerGraph(settings, "training");
    const source = paddedIds(make, "source", "memory");
    const target = paddedIds(make, "target", "sequence");
    const labels = make.ids("labels", target.ids.dims, vocabSize(make));
    const memory = model.encode(parameters, source.ids, source.present);
    const hidden = model.decode(parameters, target.ids, target.present, memory, source.present);
    return [model.loss(parameters, hidden, labels, labelSmoothing), model.logits(parameters, hidden)];
  },
});

/** Several operators at work together, as models use them. */
export const compositeCases: readonly Case[] = [
  attention("to itself, padding masked", 0, "padding"),
  attention("to itself and the past, padding masked", 0, "causal"),
  attention("to another sequence, padding masked", 0, "cross"),
  attention("with dropout", 0.3, "causal"),
  {
    name: "attention: one step with a cache",
    lengths: { ...lengths, past: 3 },
    large: { ...large, past: 40 },
    forwardOnly: true,
    build: (make) => {
      const heads = [make.axis("batch"), make.fixed("head")];
      const ofQuery = (name: string, axis: string) =>
        make.float(name, [...heads, make.axis(axis, "sequence"), make.fixed("headDim")]);
      const ofPast = (name: string) =>
        make.float(name, [
          ...heads,
          make.axis("query", "sequence"),
          make.axis("past"),
          make.fixed("headDim"),
        ]);
      const pastMask = make.float("pastMask", [make.axis("past")], (random) =>
        random.below(3) === 0 ? -1e9 : 0,
      );
      return attendWithCache(
        ofQuery("queries", "query"),
        { keys: ofPast("pastKeys"), values: ofPast("pastValues") },
        { keys: ofQuery("keys", "key"), values: ofQuery("values", "key") },
        pastMask,
      );
    },
  },
  sublayer("after", "relu", 0),
  sublayer("before", "relu", 0.2),
  sublayer("after", "gelu", 0.2),
  sublayer("before", "gelu", 0),
  {
    name: "embedding, scaled, with sinusoids",
    lengths,
    large,
    build: (make) => {
      const model = modelAxis(make);
      const { ids } = paddedIds(make, "ids", "sequence");
      const table = bind(make, "embedding", {
        table: embeddingParameters(vocabSize(make), model),
      }).table;
      const positions = positionsOf(sinusoidTable(make.length("sequence") + 2, model), ids.dims[1]!);
      return build.add(embedding(table, ids, true), positions);
    },
  },
  transformer("embeddings shared three ways, smoothed", {}, 0.1),
  transformer("dropout everywhere", { dropout: 0.2, attentionDropout: 0.1, activationDropout: 0.3 }, 0.1),
  transformer(
    "norm before, gelu, learned positions, embedding norm, output bias, nothing shared",
    {
      norm: "before",
      finalNorm: true,
      activation: "gelu",
      positions: "learned",
      embeddingNorm: true,
      outputBias: true,
      sharedEmbeddings: "none",
    },
    0,
  ),
];
