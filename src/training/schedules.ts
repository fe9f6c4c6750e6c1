/** Learning rates as functions of the step. */

/** What some schedules take besides, by the names that Hugging Face's `lr_scheduler_kwargs` has. */
export interface ScheduleArguments {
  /** The part of the rate that the fall ends at. Default: 0. */
  readonly min_lr_ratio?: number | undefined;
  /** How often the cosine falls. Default: 1. */
  readonly num_cycles?: number | undefined;
  /** Of the polynomial. Default: 1, a straight line. */
  readonly power?: number | undefined;
  /** How many steps before the last the fall begins. Default: a tenth of them. */
  readonly num_decay_steps?: number | undefined;
  /** How it falls. Default: as a cosine. */
  readonly decay_type?: DecayType | undefined;
}

export const decayTypes = ["cosine", "linear", "1-sqrt"] as const;
export type DecayType = (typeof decayTypes)[number];

export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** The highest rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** The number of steps over which the rate grows from 0 in a straight line. */
  readonly warmupSteps: number;
  /** Where the rates that fall are at their lowest. */
  readonly maxSteps: number;
  readonly arguments?: ScheduleArguments;
}

interface Schedule {
  /**
   * What the rate is multiplied with after the warm-up.
   * @param progress - the part of the steps after the warm-up that is done, from 0 to 1
   */
  factor(progress: number, step: number, options: ScheduleOptions): number;
  /** The arguments that it takes. */
  readonly takes: readonly (keyof ScheduleArguments)[];
}

const falls: Readonly<Record<DecayType, (progress: number) => number>> = {
  cosine: (progress) => (1 + Math.cos(Math.PI * progress)) / 2,
  linear: (progress) => 1 - progress,
  "1-sqrt": (progress) => 1 - Math.sqrt(progress),
};

/** A fall down to `min_lr_ratio` of the rate. */
function falling(
  shape: (progress: number, step: number, options: ScheduleOptions) => number,
  ...takes: readonly (keyof ScheduleArguments)[]
): Schedule {
  return {
    factor(progress, step, options) {
      const least = options.arguments?.min_lr_ratio ?? 0;
      return least + (1 - least) * shape(progress, step, options);
    },
    takes: ["min_lr_ratio", ...takes],
  };
}

const constant: Schedule = { factor: () => 1, takes: [] };

/**
 * Every schedule, as Hugging Face's Trainer calls it where it has it. After the warm-up:
 * inverse_sqrt: rate · sqrt(warmup / step), the paper's (Vaswani et al., 2017, 5.3);
 * linear, cosine, polynomial: down to the lowest at `maxSteps`; cosine_with_restarts: the same several times over;
 * warmup_stable_decay: the rate, and a fall at the end (Hu et al., 2024, MiniCPM, 4);
 * constant, constant_with_warmup: the rate;
 * relative_step: at most 1 / sqrt(step). With a rate of 0.01 that is Adafactor's relative step size (Shazeer and
 * Stern, 2018, algorithm 4), and with 10,000 steps of warm-up what is called its warm-up initialisation.
 */
const schedules = {
  inverse_sqrt: {
    factor: (_, step, { warmupSteps }) => Math.sqrt(Math.max(1, warmupSteps) / Math.max(1, step)),
    takes: [],
  },
  linear: falling(falls.linear),
  cosine: falling(falls.cosine),
  cosine_with_restarts: falling((progress, _, options) => {
    const cycles = options.arguments?.num_cycles ?? 1;
    return progress >= 1 ? 0 : falls.cosine((cycles * progress) % 1);
  }, "num_cycles"),
  polynomial: falling((progress, _, options) => (1 - progress) ** (options.arguments?.power ?? 1), "power"),
  warmup_stable_decay: falling(
    (_, step, options) => {
      const decaySteps = options.arguments?.num_decay_steps ?? Math.ceil(options.maxSteps / 10);
      const progress = (step - (options.maxSteps - decaySteps)) / decaySteps;
      return falls[options.arguments?.decay_type ?? "cosine"](Math.min(1, Math.max(0, progress)));
    },
    "num_decay_steps",
    "decay_type",
  ),
  constant,
  constant_with_warmup: constant,
  relative_step: {
    factor: (_, step, { learningRate }) => Math.min(1, 1 / (learningRate * Math.sqrt(step))),
    takes: [],
  },
} as const satisfies Readonly<Record<string, Schedule>>;

export type ScheduleName = keyof typeof schedules;
export const scheduleNames = Object.keys(schedules) as [ScheduleName, ...ScheduleName[]];

/** The arguments that a schedule takes. */
export const argumentsOfSchedule = (name: ScheduleName): readonly string[] => schedules[name].takes;

/** The learning rate of a step, counted from 1. */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { name, learningRate, warmupSteps, maxSteps } = options;
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const remaining = Math.max(0, (maxSteps - step) / Math.max(1, maxSteps - warmupSteps));
  const schedule: Schedule = schedules[name];
  return learningRate * schedule.factor(1 - remaining, step, options);
}
