import type { Device, DeviceArray, Feed, Program } from "../runtime/device.ts";
import type { DecodingBatch } from "./decode.ts";
import type { HypothesisCaches } from "./hypothesis-caches.ts";
import { StepScores } from "./step-scores.ts";

/** What a batch is written with. */
export interface BatchParts {
  readonly device: Device;
  /** One of `StepPrograms`. */
  readonly step: Program;
  /** Those that did not become part of the program. */
  readonly parameters: ReadonlyMap<string, DeviceArray>;
  readonly caches: HypothesisCaches;
  readonly hypotheses: number;
  /** What all hypotheses of a sequence share, a row for each sequence, by the names of the step's inputs. */
  readonly shared: ReadonlyMap<string, DeviceArray>;
}

/** A batch of sequences that are written with caches: each token is one run of a program. */
export class CachedBatch implements DecodingBatch {
  readonly #parts: BatchParts;
  readonly #feeds: () => Readonly<Record<string, Feed>>;
  /** What all hypotheses of a sequence share, by the names of the step's inputs. */
  shared: ReadonlyMap<string, DeviceArray>;

  /** @param feeds - what else the next run takes, besides the tokens, the past, and what is shared */
  constructor(parts: BatchParts, feeds: () => Readonly<Record<string, Feed>>) {
    this.#parts = parts;
    this.#feeds = feeds;
    this.shared = parts.shared;
  }

  async next(tokens: Int32Array): Promise<StepScores> {
    const { step, parameters, caches, hypotheses } = this.#parts;
    const shape = [tokens.length / hypotheses, hypotheses];
    const feeds = {
      ...caches.feeds(),
      ids: { data: tokens, shape },
      ...Object.fromEntries(this.shared),
      ...this.#feeds(),
    };
    const results = await step.run(feeds, parameters);
    caches.append(results);
    return await StepScores.read(results, hypotheses);
  }

  reorder(parents: Int32Array): void {
    this.#parts.caches.reorder(parents);
  }

  select(sequences: readonly number[]): void {
    const { caches, device } = this.#parts;
    caches.select(sequences);
    this.shared = new Map(
      [...this.shared].map(([name, array]) => [name, device.selectRows(array, sequences)]),
    );
  }
}
