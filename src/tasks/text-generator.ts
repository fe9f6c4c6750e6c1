import type { DecodingOptions } from "../generation/decoding-options.ts";
import type { Hypothesis } from "../generation/search.ts";
import type { Device } from "../runtime/device.ts";
import { QkvError } from "../util/errors.ts";
import { type AnyGenerator, generatorOf } from "./generator-of-model.ts";
import { checkGoing, type TaskControls, type TaskModel, textOf } from "./task.ts";
import { tellFinished, tokenTeller } from "./written-tokens.ts";

/** Tokens of one batch, padding included. */
const tokensPerBatch = 1536;

/** A model that writes, of either kind. */
export class TextGenerator {
  readonly #opened: TaskModel;
  readonly #generator: AnyGenerator;

  private constructor(opened: TaskModel, generator: AnyGenerator) {
    this.#opened = opened;
    this.#generator = generator;
  }

  /** @throws QkvError "config" where the model does not write in this way */
  static async create(
    device: Device,
    opened: TaskModel,
    kind: "causal" | "sequence-to-sequence",
  ): Promise<TextGenerator> {
    return new TextGenerator(opened, await generatorOf(device, opened, kind));
  }

  /**
   * What follows each prompt or source, in their order; those of similar length are generated together.
   * @param written - the text of an input's tokens, for those who listen
   */
  async generate(
    rows: readonly (readonly number[])[],
    decoding: Partial<DecodingOptions>,
    controls: TaskControls,
    written: (index: number, tokens: readonly number[]) => string,
  ): Promise<Hypothesis[][]> {
    checkIds(rows, this.#opened);
    const tell = controls.onToken && tokenTeller(written, controls.onToken);
    const tellsAtOnce = tell !== undefined && (decoding.numBeams ?? 1) === 1;
    const order = [...rows.keys()].sort((left, right) => rows[left]!.length - rows[right]!.length);
    const results = new Array<Hypothesis[]>(rows.length);
    for (let start = 0; start < order.length; ) {
      checkGoing("generation", controls);
      let end = start + 1;
      while (end < order.length && (end + 1 - start) * rows[order[end]!]!.length <= tokensPerBatch) end++;
      const batch = order.slice(start, end);
      const found = await this.#generator.generate(
        batch.map((index) => rows[index]!),
        decoding,
        this.#opened.parameters,
        {
          signal: controls.signal,
          decodeText: (tokens) => textOf(this.#opened.tokenizers.target, tokens, false),
          ...(tellsAtOnce && { onToken: (event) => tell(batch[event.sequence]!, event) }),
        },
      );
      batch.forEach((index, place) => {
        results[index] = found[place]!;
        if (tell !== undefined && !tellsAtOnce) tellFinished(index, found[place]!, tell);
      });
      start = end;
    }
    return results;
  }

  async dispose(): Promise<void> {
    await this.#generator.dispose();
  }
}

/** A tokenizer of another model gives ids that this one does not have. */
function checkIds(rows: readonly (readonly number[])[], { folder, model, tokenizers }: TaskModel): void {
  const { vocabSize } = model.config;
  const wrong = rows.flatMap((row) => row.filter((id) => id >= vocabSize))[0];
  if (wrong === undefined) return;
  throw new QkvError(
    "weights",
    `${folder}: the tokenizer has ${tokenizers.source.vocabSize} tokens, the model ${vocabSize}; got the id ` +
      `${wrong}; they do not belong together`,
  );
}
