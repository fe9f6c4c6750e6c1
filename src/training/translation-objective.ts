import type { Batch } from "../data/collate.ts";
import { equal, input, not, scalar } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Transformer, transformerGraph, transformerParameters } from "../models/transformer.ts";
import type { TransformerConfig } from "../models/transformer-config.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import type { Feed } from "../runtime/device.ts";
import type { Objective } from "./learner.ts";

/**
 * Translation with teacher forcing: at every position the decoder sees the right tokens so far and is asked for the
 * next; the loss is the label-smoothed cross-entropy over all target tokens.
 */
export function translationObjective(
  config: TransformerConfig,
  options: { labelSmoothing: number; mode?: "training" | "inference" },
): Objective<Transformer<ParameterSpec>, Batch> {
  return {
    parameters: transformerParameters(config),
    examples: "batch",
    loss(parameters: Transformer<Tensor>) {
      const model = transformerGraph(config, options.mode ?? "training");
      const batch = dim("batch");
      const source = input("source", [batch, dim("sequence", "source")], "int32");
      const target = input("target", [batch, dim("sequence", "target")], "int32");
      const labels = input("labels", [batch, dim("sequence", "target")], "int32");
      const present = (ids: Tensor) => not(equal(ids, scalar(config.padTokenId, "int32")));
      const memory = model.encode(parameters, source, present(source));
      const hidden = model.decode(parameters, target, present(target), memory, present(source));
      return model.loss(parameters, hidden, labels, options.labelSmoothing);
    },
    feeds(batch: Batch): Record<string, Feed> {
      const targetShape = [batch.rows, batch.targetWidth];
      return {
        source: { data: batch.source, shape: [batch.rows, batch.sourceWidth] },
        target: { data: batch.targetInput, shape: targetShape },
        labels: { data: batch.labels, shape: targetShape },
      };
    },
    count: (batch) => batch.tokenCount,
  };
}
