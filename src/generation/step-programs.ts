import { rename } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { DecoderStep } from "../models/generative.ts";
import type { CompileOptions, Device, Program } from "../runtime/device.ts";
import { keyValueOutputs } from "./hypothesis-caches.ts";
import { scoreOutputs } from "./step-scores.ts";

/** The programs of a model's decoding step, compiled when they are first needed. */
export class StepPrograms {
  readonly #device: Device;
  readonly #build: (beams: number) => DecoderStep;
  readonly #options: CompileOptions;
  readonly #programs = new Map<string, Promise<Program>>();

  /** @param build - writes the step of so many hypotheses down; they stand in the axis `beam` */
  constructor(device: Device, build: (beams: number) => DecoderStep, options: CompileOptions) {
    this.#device = device;
    this.#build = build;
    this.#options = options;
  }

  /** The program that gives the `candidates` likeliest tokens of each hypothesis, or with 0 all scores. */
  get(beams: number, candidates: number): Promise<Program> {
    const key = `${beams}/${candidates}`;
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = this.#device.compile(outputsOf(this.#build(beams), candidates), this.#options);
      this.#programs.set(key, program);
    }
    return program;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await (await program).dispose();
  }
}

/** Scores, and the new keys and values as `HypothesisCaches` takes them. */
function outputsOf({ logits, present }: DecoderStep, candidates: number): Map<string, Tensor> {
  const own = present.map(({ keys, values }) => ({
    keys: rename(keys, { key: "query" }),
    values: rename(values, { key: "query" }),
  }));
  return new Map([...scoreOutputs(logits, candidates), ...keyValueOutputs(own)]);
}
