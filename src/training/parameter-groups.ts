import { listParameters, type ParameterSpec } from "../nn/parameters.ts";
import { addressPattern } from "../util/address-pattern.ts";
import { didYouMean, QkvError } from "../util/errors.ts";

/** How one parameter is learned. */
export interface ParameterGroup {
  /** What the schedule's learning rate is multiplied with. */
  readonly learningRateScale: number;
  readonly weightDecay: number;
}

/** What decay of weights is for: every parameter, or not norms and biases. */
export const weightDecayTargets = ["all", "weights"] as const;
export type WeightDecayTarget = (typeof weightDecayTargets)[number];

export interface ParameterGroupOptions {
  /** Default: 0. */
  readonly weightDecay?: number;
  /** Default: all. */
  readonly weightDecayOn?: WeightDecayTarget;
  /** Each layer learns so much slower than the one above it. Default: 1. */
  readonly layerwiseDecay?: number;
  /** Addresses of parameters that stay as they are, * for anything. Default: none. */
  readonly freeze?: readonly string[];
}

/** The groups of parameters that are learned, by address; those that are missing are frozen. */
export type ParameterGroups = ReadonlyMap<string, ParameterGroup>;

/**
 * Divides a model's parameters.
 * @param tree - of parameter specifications
 * @throws QkvError "option" for a pattern of frozen parameters that names none, or for patterns that name all
 */
export function parameterGroups(tree: unknown, options: ParameterGroupOptions = {}): ParameterGroups {
  const { weightDecay = 0, weightDecayOn = "all", layerwiseDecay = 1, freeze = [] } = options;
  const specs = listParameters(tree);
  const distances = layersAbove([...specs.keys()]);
  const isFrozen = frozenTest([...specs.keys()], freeze);
  const groups = new Map<string, ParameterGroup>();
  for (const [address, spec] of specs) {
    if (isFrozen(address)) continue;
    groups.set(address, {
      learningRateScale: layerwiseDecay ** distances.get(address)!,
      weightDecay: weightDecayOn === "all" || isWeight(spec) ? weightDecay : 0,
    });
  }
  if (groups.size === 0) {
    throw new QkvError(
      "option",
      `training.freeze: something must be left to learn; got ${freeze.join(", ")}, which are all ${specs.size} parameters; ` +
        "freeze fewer",
    );
  }
  return groups;
}

/** Whether it is multiplied with what comes in, as neither a bias nor the gain of a norm is. */
export function isWeight({ dims, isBias = false }: ParameterSpec): boolean {
  return dims.length > 1 && !isBias;
}

function frozenTest(addresses: readonly string[], patterns: readonly string[]): (address: string) => boolean {
  const tests = patterns.map((pattern) => {
    const test = addressPattern(pattern);
    if (addresses.some((address) => test.test(address))) return test;
    throw new QkvError(
      "option",
      `training.freeze: no parameter has the address "${pattern}"${didYouMean(pattern, addresses)}; there are ` +
        `${addresses.slice(0, 2).join(", ")} and others; * stands for anything`,
    );
  });
  return (address) => tests.some((test) => test.test(address));
}

/**
 * How many layers lie between a parameter and what the model gives, told by addresses and their order alone. A stack
 * is what has `layers.0`, `layers.1` ... in it: `encoder`, `decoder`, or the model itself. Its highest layer is 1 away,
 * the one below 2, and so on; what the stack has before its layers (tables of embeddings) is one further away than the
 * lowest of them; what it has after them, and what lies in no stack (heads), is 0 away. Each stack is counted by
 * itself, since every layer of a decoder reads the encoder's highest.
 * Source of the rule: Clark et al., 2020 (ELECTRA), appendix A, and Bao et al., 2022 (BEiT), in whose code the highest
 * layer has one decay.
 * @param addresses - in the order of the model's tree
 */
export function layersAbove(addresses: readonly string[]): Map<string, number> {
  const stacks = new Map<string, { count: number; readonly first: number }>();
  addresses.forEach((address, index) => {
    const place = placeInStack(address);
    if (place === undefined) return;
    const stack = stacks.get(place.stack) ?? { count: 0, first: index };
    stack.count = Math.max(stack.count, place.layer + 1);
    stacks.set(place.stack, stack);
  });
  const innermostFirst = [...stacks].sort(([left], [right]) => right.length - left.length);
  return new Map(
    addresses.map((address, index) => {
      const place = placeInStack(address);
      if (place !== undefined) return [address, stacks.get(place.stack)!.count - place.layer];
      const own = innermostFirst.find(([stack]) => stack === "" || address.startsWith(`${stack}.`))?.[1];
      return [address, own !== undefined && index < own.first ? own.count + 1 : 0];
    }),
  );
}

function placeInStack(address: string): { stack: string; layer: number } | undefined {
  const match = /^(?:(.*?)\.)?layers\.(\d+)\./.exec(address);
  return match === null ? undefined : { stack: match[1] ?? "", layer: Number(match[2]) };
}
