/** What a recipe says about optimization: the keys, the rules between them, and what they come to. */
import { z } from "zod";
import { loraSchema } from "../models/lora-config.ts";
import type { LearnerOptions, Objective } from "./learner.ts";
import { optimizerNames, optimizers } from "./optimizers/table.ts";
import { parameterGroups, weightDecayTargets } from "./parameter-groups.ts";
import { argumentsOfSchedule, decayTypes, type ScheduleOptions, scheduleNames } from "./schedules.ts";

const count = z.int().positive();
const rate = z.number().min(0).lt(1);
const defaultWarmupSteps = 1000;

/** The keys, to be spread into the schema of a recipe's training; the words are those of Hugging Face's Trainer. */
export const optimizationChoices = {
  optimizer: z.enum(optimizerNames).default("adam"),
  learning_rate: z.number().positive().default(1e-3),
  lr_scheduler_type: z.enum(scheduleNames).default("inverse_sqrt"),
  /** What some schedules take besides. */
  lr_scheduler_kwargs: z
    .strictObject({
      min_lr_ratio: z.number().min(0).max(1).optional(),
      num_cycles: count.optional(),
      power: z.number().positive().optional(),
      num_decay_steps: count.optional(),
      decay_type: z.enum(decayTypes).optional(),
    })
    .default({}),
  /** Steps over which the rate grows; null = what `warmup_ratio` says, or 1,000, but a tenth of all steps at most. */
  warmup_steps: z.int().nonnegative().nullable().default(null),
  /** The same as a part of all steps. */
  warmup_ratio: z.number().min(0).max(1).nullable().default(null),
  adam_beta1: rate.default(0.9),
  adam_beta2: rate.default(0.98),
  adam_epsilon: z.number().positive().default(1e-9),
  /** Whether Adafactor's step size is scaled by the size of the parameter. */
  adafactor_scale_parameter: z.boolean().default(false),
  /** How Adafactor's first moment forgets; null = it has none. */
  adafactor_beta1: rate.nullable().default(null),
  adafactor_decay_rate: z.number().negative().default(-0.8),
  adafactor_clip_threshold: z.number().positive().default(1),
  /** Of stochastic gradient descent. */
  sgd_momentum: rate.default(0.9),
  sgd_nesterov: z.boolean().default(false),
  weight_decay: z.number().min(0).default(0),
  /** What weights decay: all parameters, or not norms and biases. */
  weight_decay_on: z.enum(weightDecayTargets).default("weights"),
  /** Each layer learns so much slower than the one above it. */
  layerwise_lr_decay: z.number().positive().max(1).default(1),
  /** Addresses of parameters that stay as they are; * stands for anything. */
  freeze: z.array(z.string()).default([]),
  /** Adapters that are learned in place of the model's weights, by the names of PEFT's LoraConfig; null = none. */
  peft: loraSchema.nullable().default(null),
  /** The model is the moving average of the parameters, with this decay; null = the parameters themselves. */
  ema_decay: rate.nullable().default(null),
  /** Gradients longer than this are scaled down to it; 0 = never. */
  max_grad_norm: z.number().min(0).default(1),
  /** Whether layers are computed anew for their gradient instead of being kept. */
  gradient_checkpointing: z.boolean().default(false),
};

export type OptimizationChoices = z.output<z.ZodObject<typeof optimizationChoices>>;

/** Refuses what cannot be meant together; for `superRefine` of the schema that has the keys. */
export function checkOptimization(
  choices: OptimizationChoices,
  { addIssue }: { addIssue(issue: { code: "custom"; path: string[]; message: string }): void },
): void {
  const refuse = (key: string, message: string) => addIssue({ code: "custom", path: [key], message });
  const { optimizer, lr_scheduler_type: schedule } = choices;
  if (choices.weight_decay > 0 && !optimizers[optimizer].decaysWeights) {
    refuse(
      "weight_decay",
      `the optimizer ${optimizer} has none; take adamw (--set optimizer=adamw), or leave it out`,
    );
  }
  if (choices.sgd_nesterov && choices.sgd_momentum === 0) {
    refuse("sgd_nesterov", "needs a momentum; set sgd_momentum above 0 (--set sgd_momentum=0.9)");
  }
  if (choices.warmup_steps !== null && choices.warmup_ratio !== null) {
    refuse("warmup_ratio", "takes the place of warmup_steps; got both; leave one of them out");
  }
  const known = argumentsOfSchedule(schedule);
  for (const name of Object.keys(choices.lr_scheduler_kwargs)) {
    if (known.includes(name)) continue;
    const takes = known.length === 0 ? "no arguments" : known.join(", ");
    refuse("lr_scheduler_kwargs", `the schedule ${schedule} takes ${takes}; got ${name}`);
  }
}

/** The schedule of a training of so many steps. */
export function scheduleOf(choices: OptimizationChoices, maxSteps: number): ScheduleOptions {
  const { warmup_steps, warmup_ratio } = choices;
  return {
    name: choices.lr_scheduler_type,
    learningRate: choices.learning_rate,
    warmupSteps:
      warmup_ratio === null
        ? (warmup_steps ?? Math.min(defaultWarmupSteps, Math.ceil(maxSteps / 10)))
        : Math.ceil(warmup_ratio * maxSteps),
    maxSteps,
    arguments: choices.lr_scheduler_kwargs,
  };
}

/** What to say of a rate that grows until a training is over. */
export function endlessWarmup(choices: OptimizationChoices, maxSteps: number): string | undefined {
  const { warmupSteps } = scheduleOf(choices, maxSteps);
  if (warmupSteps <= maxSteps) return undefined;
  return (
    `The learning rate grows over ${warmupSteps} steps (training.warmup_steps), and the training has only ` +
    `${maxSteps}: it never reaches training.learning_rate.`
  );
}

/**
 * How a learner learns by these choices.
 * @param objective - whose parameters are learned, but for those that are given
 * @throws QkvError "option" for a pattern of frozen parameters that names none
 */
export function learnerOptionsOf(
  choices: OptimizationChoices,
  objective: Pick<Objective<unknown, unknown>, "parameters" | "fixed">,
  seed: number,
): LearnerOptions {
  return {
    seed,
    optimizer: optimizers[choices.optimizer].create({
      adam: { beta1: choices.adam_beta1, beta2: choices.adam_beta2, epsilon: choices.adam_epsilon },
      adafactor: {
        scaleParameter: choices.adafactor_scale_parameter,
        beta1: choices.adafactor_beta1 ?? undefined,
        decayRate: choices.adafactor_decay_rate,
        clipThreshold: choices.adafactor_clip_threshold,
      },
      sgd: { momentum: choices.sgd_momentum, nesterov: choices.sgd_nesterov },
    }),
    groups: parameterGroups(objective.parameters, {
      weightDecay: choices.weight_decay,
      weightDecayOn: choices.weight_decay_on,
      layerwiseDecay: choices.layerwise_lr_decay,
      freeze: [...choices.freeze, ...(objective.fixed?.keys() ?? [])],
    }),
    emaDecay: choices.ema_decay ?? undefined,
    maxGradientNorm: choices.max_grad_norm,
    gradientCheckpointing: choices.gradient_checkpointing,
  };
}
