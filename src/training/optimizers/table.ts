/** Every optimizer that there is, by the name that recipes call it. */
import { type AdafactorOptions, adafactor } from "./adafactor.ts";
import { type AdamOptions, adam } from "./adam.ts";
import type { Optimizer } from "./optimizer.ts";
import { type SgdOptions, sgd } from "./sgd.ts";

export interface OptimizerSettings {
  readonly adam: AdamOptions;
  readonly adafactor: AdafactorOptions;
  readonly sgd: SgdOptions;
}

export interface OptimizerEntry {
  create(settings: OptimizerSettings): Optimizer;
  /** Whether it is defined with weight decay. */
  readonly decaysWeights: boolean;
}

export const optimizers = {
  adam: { create: (settings) => adam(settings.adam), decaysWeights: false },
  adamw: { create: (settings) => adam(settings.adam), decaysWeights: true },
  adafactor: { create: (settings) => adafactor(settings.adafactor), decaysWeights: true },
  sgd: { create: (settings) => sgd(settings.sgd), decaysWeights: true },
} as const satisfies Readonly<Record<string, OptimizerEntry>>;

export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as [OptimizerName, ...OptimizerName[]];
