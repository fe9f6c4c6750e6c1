/** A model whose linear layers get low-rank adapters, which are learned in place of its weights. */
import { type LowRankAdapter, lowRankAdapterParameters } from "../nn/lora.ts";
import { listParameters, type ParameterSpec, shapeOf } from "../nn/parameters.ts";
import {
  type BoundTensor,
  bindCheckpoint,
  type CheckpointNames,
  checkpointPlaces,
  type TensorName,
} from "../weights/checkpoint-names.ts";
import type { Model } from "./family.ts";
import type { LoraConfig } from "./lora-config.ts";
import { chooseModules } from "./lora-modules.ts";

/** A linear layer that has an adapter. */
export interface AdaptedLayer {
  /** The place in the model's tree, such as `encoder.layers.0.selfAttention.query`. */
  readonly address: string;
  /** Its name in checkpoints, such as `bert.encoder.layer.0.attention.self.query`. */
  readonly module: string;
  /** Whether the weight is kept as [inputs, outputs]. */
  readonly isTransposed: boolean;
}

/** A model with adapters, and what is known of them. */
export interface Adaptation {
  /**
   * The model with adapters: the tree of the base model, each adapted layer with an `adapter` more. Where these have
   * their first values it computes what the base model does.
   */
  readonly model: Model;
  readonly base: Model;
  readonly config: LoraConfig;
  readonly scale: number;
  readonly layers: readonly AdaptedLayer[];
  /** The addresses of what is learned: the adapters, and the modules that are saved as a whole. */
  readonly learned: ReadonlySet<string>;
}

/**
 * Puts adapters beside linear layers of a model.
 * @param begun - the addresses of parameters that the checkpoint does not have; they are learned as a whole
 * @throws QkvError "config" for a module that there is not, or that cannot have an adapter
 */
export function adaptModel(base: Model, config: LoraConfig, begun: Iterable<string> = []): Adaptation {
  const { targets, targetModules, saved, savedModules } = chooseModules(base, config, begun);
  const scale = config.lora_alpha / (config.use_rslora ? Math.sqrt(config.r) : config.r);
  const specs = listParameters(base.parameters);
  const layers: AdaptedLayer[] = [];
  const rows: Record<string, string> = {};
  let tree = base.parameters;
  for (const [weight, module] of targets) {
    const address = weight.slice(0, -".weight".length);
    const isTransposed = keepsInputsFirst(specs.get(weight)!, specs.get(`${address}.bias`));
    const [first, second] = specs.get(weight)!.dims as [ParameterSpec["dims"][0], ParameterSpec["dims"][0]];
    const [inputs, outputs] = isTransposed ? [first, second] : [second, first];
    const adapter = lowRankAdapterParameters(inputs, outputs, config.r, scale);
    tree = changeAt(tree, address, (layer) => ({ ...layer, adapter }));
    layers.push({ address, module, isTransposed });
    rows[`${address}.adapter.down`] = `${module}.lora_A.weight`;
    rows[`${address}.adapter.up`] = `${module}.lora_B.weight`;
  }
  const { lora_dropout: rate } = config;
  /** The tree with dropout before each adapter. */
  const withDropout = (parameters: unknown) =>
    layers.reduce(
      (changed, { address }) =>
        changeAt(changed, `${address}.adapter`, (adapter) => ({
          ...adapter,
          dropout: { address: `${address}.adapter.dropout`, rate } satisfies LowRankAdapter<never>["dropout"],
        })),
      parameters,
    );
  const { generation } = base;
  return {
    model: {
      ...base,
      parameters: tree,
      names: { ...base.names, tensors: { ...rows, ...base.names.tensors } },
      forward: (parameters, inputs, mode) =>
        base.forward(
          (mode === "training" && rate > 0 ? withDropout(parameters) : parameters) as never,
          inputs,
          mode,
        ),
      ...(generation !== undefined && { generation: { ...generation, parameters: tree } }),
    },
    base,
    config: { ...config, target_modules: targetModules, modules_to_save: savedModules },
    scale,
    layers,
    learned: new Set([...Object.keys(rows), ...saved]),
  };
}

/** Told by the bias, which is as long as the outputs; without one the outputs come first. */
function keepsInputsFirst(weight: ParameterSpec, bias: ParameterSpec | undefined): boolean {
  return bias !== undefined && bias.dims[0]!.name === weight.dims[1]!.name;
}

/** The tree with what lies at an address replaced. */
function changeAt<Tree>(tree: Tree, address: string, change: (value: object) => object): Tree {
  const [key, ...rest] = address.split(".");
  const own = tree as Record<string, object>;
  const inner = own[key!]!;
  const changed = rest.length === 0 ? change(inner) : changeAt(inner, rest.join("."), change);
  return (Array.isArray(tree) ? tree.with(Number(key), changed) : { ...own, [key!]: changed }) as Tree;
}

/** How PEFT begins the names of an adapter's tensors. */
export const adapterPrefix = "base_model.model.";

/** Finds what is learned in an adapter's file. @param where - the file, for messages */
export function bindAdapter(
  { model, base, learned }: Adaptation,
  stored: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  where: string,
): Map<string, BoundTensor> {
  const specs = listParameters(model.parameters);
  const wanted = new Map([...learned].map((address) => [address, shapeOf(specs.get(address)!)]));
  const tensors: Record<string, TensorName> = Object.fromEntries(checkpointPlaces(learned, model.names));
  const names: CheckpointNames = {
    base: base.names.base,
    tensors,
    ...(base.names.olderEndings && { olderEndings: base.names.olderEndings }),
  };
  return bindCheckpoint(wanted, stored, names, where, {
    holds: `the adapter of ${base.architecture} that adapter_config.json describes`,
    wayOut: "name the model that it was made for, and fetch both files of the adapter from one place",
  });
}

/** The name of an adapter's tensor without what PEFT puts around it. */
export function plainAdapterName(name: string): string {
  return name
    .replace(/^base_model\.model\./, "")
    .replace(/\.modules_to_save\.(default\.)?/, ".")
    .replace(/\.(lora_[AB])\.default\./, ".$1.");
}

type Values = { readonly shape: readonly number[]; readonly data: Float32Array };

/**
 * The base model's weights with the adapters in them: W + scale · B · A, and what was learned as a whole.
 * @param parameters - the values of all parameters of the model with adapters, by address
 * @returns values of the base model's parameters; those that do not change are the given ones
 */
export function mergeAdapters(
  { base, layers, scale }: Adaptation,
  parameters: ReadonlyMap<string, Values>,
): Map<string, Values> {
  const merged = new Map(
    [...listParameters(base.parameters).keys()].map((key) => [key, parameters.get(key)!]),
  );
  for (const { address, isTransposed } of layers) {
    const weight = merged.get(`${address}.weight`)!;
    const [down, up] = ["down", "up"].map((part) => parameters.get(`${address}.adapter.${part}`)!.data);
    const data = Float32Array.from(weight.data);
    addProduct(data, up!, down!, scale, isTransposed ? weight.shape[0]! : weight.shape[1]!, isTransposed);
    merged.set(`${address}.weight`, { shape: weight.shape, data });
  }
  return merged;
}

/** W += scale · B · A, with sums in double precision. @param up - [outputs, rank] @param down - [rank, inputs] */
function addProduct(
  weight: Float32Array,
  up: Float32Array,
  down: Float32Array,
  scale: number,
  inputs: number,
  isTransposed: boolean,
): void {
  const rank = down.length / inputs;
  const outputs = up.length / rank;
  const row = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    row.fill(0);
    for (let middle = 0; middle < rank; middle++) {
      const factor = scale * up[output * rank + middle]!;
      for (let index = 0; index < inputs; index++) row[index]! += factor * down[middle * inputs + index]!;
    }
    for (let index = 0; index < inputs; index++) {
      weight[isTransposed ? index * outputs + output : output * inputs + index]! += row[index]!;
    }
  }
}
