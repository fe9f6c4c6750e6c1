import { join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describeRecordReport, formatOf, readRecords } from "../../data/node/records.ts";
import type { FieldTypes } from "../../data/record-fields.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import type { ModelTaskName } from "../../training/model-tasks.ts";
import type { RunEvent } from "../../training/run-events.ts";
import { QkvError } from "../../util/errors.ts";
import { RandomStream, randomKey } from "../../util/random.ts";
import type { TrainingRecord, TrainingTask } from "../training/training-task.ts";

/** The parts that data are divided into. */
export type Split = "train" | "validation" | "test";

/** The records of a recipe's files, one after another; each iteration reads the files anew. */
export class TrainingData<Name extends ModelTaskName> {
  readonly #recipe: ModelRecipe<Name>;
  readonly #fields: FieldTypes;
  readonly #columns: Readonly<Record<string, string | readonly string[]>>;
  readonly #dataFolder: string;
  readonly #onEvent: (event: RunEvent) => void;
  readonly #signal: AbortSignal;
  /** How many records the training files have; known only where the last of them are held out. */
  #total: number | undefined;

  constructor(
    recipe: ModelRecipe<Name>,
    task: Pick<TrainingTask<Name>, "fields" | "usualColumns">,
    where: { readonly dataFolder: string; readonly signal: AbortSignal; onEvent(event: RunEvent): void },
  ) {
    this.#recipe = recipe;
    this.#fields = task.fields(recipe);
    this.#columns = { ...task.usualColumns, ...recipe.data.columns };
    this.#dataFolder = where.dataFolder;
    this.#onEvent = where.onEvent;
    this.#signal = where.signal;
  }

  /** The files of a part, and whether records are held out from those of the training. */
  filesOf(split: Split): { readonly files: readonly string[]; readonly isHeldOut: boolean } {
    const { data } = this.#recipe;
    const own = data[split];
    const isHeldOut = own === undefined && split === "validation" && data.validation_split > 0;
    const files = isHeldOut ? data.train : (own ?? []);
    return { files: files.map((file) => resolve(this.#dataFolder, file)), isHeldOut };
  }

  /** @param report - whether to tell how many records there are and what was left out */
  async *records(split: Split, { report = false } = {}): AsyncGenerator<TrainingRecord, void, undefined> {
    const { data } = this.#recipe;
    const { files, isHeldOut } = this.filesOf(split);
    const limits = { train: data.max_train_samples, validation: data.max_eval_samples, test: undefined };
    const most = limits[split] ?? Number.POSITIVE_INFINITY;
    const divides = data.validation === undefined && data.validation_split > 0 && split !== "test";
    const belongs = divides ? await this.#divider() : () => false;
    let index = 0;
    let given = 0;
    for (const file of files) {
      const reader = this.#read(file);
      const tell = () => {
        const text = `${split}: ${describeRecordReport(reader.report)}`;
        if (report) this.#onEvent({ type: "message", text });
      };
      for await (const record of reader) {
        if (index % 1000 === 0) await this.#pause();
        for (const part of divides ? this.#partsOf(record, split) : [record]) {
          if (divides && this.#recipe.data.documents !== "file" && belongs(index) !== isHeldOut) continue;
          yield part;
          if (++given >= most) return tell();
        }
        index++;
      }
      tell();
    }
  }

  /**
   * The examples of a part's records. A record that contradicts itself counts as a bad row: it ends the reading, or is
   * left out.
   */
  async *examples<Made>(
    split: Split,
    encode: (record: TrainingRecord) => Iterable<Made>,
  ): AsyncGenerator<
    { readonly record: TrainingRecord; readonly examples: readonly Made[] },
    void,
    undefined
  > {
    const leftOut: string[] = [];
    for await (const record of this.records(split, { report: true })) {
      let examples: readonly Made[];
      try {
        examples = [...encode(record)];
      } catch (error) {
        const isBad = error instanceof QkvError && error.code === "data";
        if (!isBad || this.#recipe.data.on_bad_row !== "skip") throw error;
        leftOut.push(error.message);
        continue;
      }
      yield { record, examples };
    }
    if (leftOut.length === 0) return;
    const text = `${split}: left out ${leftOut.length} more: ${leftOut.slice(0, 5).join(" | ")}`;
    this.#onEvent({ type: "message", text });
  }

  #read(file: string) {
    const { format, column_names, on_bad_row, documents } = this.#recipe.data;
    return readRecords(file, {
      fields: this.#fields,
      columns: this.#columns,
      onBadRow: on_bad_row,
      ...(format !== undefined && { format }),
      ...(column_names !== undefined && { columnNames: column_names }),
      ...(formatOf(file, format) === "text" && { unit: documents }),
    });
  }

  /** A file that is one text is divided within: its last part is held out. */
  #partsOf(record: TrainingRecord, split: Split): TrainingRecord[] {
    const { documents, validation_split: share } = this.#recipe.data;
    if (documents !== "file") return [record];
    const text = record.fields.text as string;
    let place = Math.floor(text.length * (1 - share));
    // Never between the two halves of a character.
    if (/[\udc00-\udfff]/.test(text.charAt(place))) place++;
    const own = split === "train" ? text.slice(0, place) : text.slice(place);
    return [{ ...record, fields: { ...record.fields, text: own } }];
  }

  /** Whether the record of a number is held out. */
  async #divider(): Promise<(index: number) => boolean> {
    const { data, training } = this.#recipe;
    const share = data.validation_split;
    if (data.documents === "file") return () => false;
    if (data.validation_split_by === "random") {
      const key = (index: number) => randomKey(training.seed, "validation split", index);
      return (index) => new RandomStream(key(index)).uniform() < share;
    }
    this.#total ??= await this.#count();
    const first = Math.floor(this.#total * (1 - share));
    return (index) => index >= first;
  }

  async #count(): Promise<number> {
    let total = 0;
    for (const file of this.filesOf("train").files) {
      for await (const _ of this.#read(file)) if (++total % 1000 === 0) await this.#pause();
    }
    return total;
  }

  /** Lets others have their turn. */
  async #pause(): Promise<void> {
    await nextTurn();
    if (this.#signal.aborted)
      throw new QkvError("interrupted", "the training was stopped before its first step");
  }
}

/** The texts of a record, for a vocabulary to be learned from, as they are read afterwards. */
export function textsOf({ fields }: TrainingRecord): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (["label", "tags", "answers", "answer_start"].includes(name)) return [];
    if (typeof value === "string") return [value];
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? [value.join(" ")] : [];
  });
}

/** The lines of texts, for vocabularies whose pieces lie within a line. */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  for await (const text of texts) yield* text.split("\n");
}

/** Where a part's tokens are kept. */
export const storeFolder = (directory: string, split: Split): string => join(directory, "data", split);
