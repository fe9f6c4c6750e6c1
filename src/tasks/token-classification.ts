import { z } from "zod";
import type { Encoding } from "../tokenizers/encoding.ts";
import { QkvError } from "../util/errors.ts";
import { ForwardPass } from "./forward-pass.ts";
import { largestPlace, softmax } from "./probabilities.ts";
import { checkText, longestInput, readTaskOptions, type TaskDefinition } from "./task.ts";

const where = "token-classification";
const schema = z.object({
  /** `simple` joins neighbouring tokens of one entity; `none` tells each token. */
  aggregationStrategy: z.enum(["none", "simple"]).default("none"),
  /** Labels that are not told. */
  ignoreLabels: z.array(z.string()).default(["O"]),
});
export type TokenClassificationOptions = z.input<typeof schema>;

/** What was found in a text; `start` and `end` count UTF-16 units, so that `text.slice(start, end)` is its place. */
interface Found {
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}
export interface TaggedToken extends Found {
  readonly entity: string;
  /** The token's number in the text, special tokens included. */
  readonly index: number;
}
export interface TaggedEntity extends Found {
  readonly entity_group: string;
}

/** Of one token: its place and its likeliest label. */
interface Tag {
  readonly label: string;
  readonly score: number;
  readonly id: number;
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** The share of a window that the next one reads again, since a token's neighbours tell what it is. */
const overlap = 0.25;

/** Tells a label for each token. A long text is read in windows that overlap, so nothing is left out. */
export const tokenClassification: TaskDefinition = {
  head: "token-classification",
  async open(device, opened) {
    const { source } = opened.tokenizers;
    const labels = opened.model.config.labels ?? [];
    const pass = await ForwardPass.create(device, opened, ["logits"]);
    const limit = longestInput(opened);
    const added = source.encodeIds("").length;
    const stride = Math.floor((limit - added) * overlap);
    return {
      async run(inputs, given, controls) {
        const options = readTaskOptions(where, schema, given);
        const texts = inputs.map((input, index) => checkText(where, input, index));
        const windows = texts.map((text) => {
          if (limit === Number.POSITIVE_INFINITY) return [source.encode(text)];
          if (limit <= added) {
            throw new QkvError("config", `${where}: a model for ${limit} tokens has no room for a text`);
          }
          const encoding = source.encode(text, { truncation: { maxLength: limit, stride, side: "right" } });
          return [encoding, ...encoding.overflowing];
        });
        const flat = windows.flat();
        const tags = new Array<Tag[]>(flat.length);
        await pass.run(flat, controls, (index, { logits: { data, width } }) => {
          tags[index] = tagsOf(flat[index]!, data, width, labels);
        });
        let first = 0;
        return texts.map((text, index) => {
          const own = tags.slice(first, first + windows[index]!.length);
          first += own.length;
          const joined = joinWindows(own, windows[index]!, stride);
          return found(joined, text, options, (ids) => source.decode(ids, { skipSpecialTokens: true }));
        });
      },
      dispose: () => pass.dispose(),
    };
  },
};

function tagsOf(encoding: Encoding, logits: Float32Array, width: number, labels: readonly string[]): Tag[] {
  return encoding.ids.flatMap((id, place) => {
    if (encoding.specialTokensMask[place] === 1) return [];
    const scores = softmax(logits.subarray(place * width, (place + 1) * width));
    const best = largestPlace(scores);
    const [start, end] = encoding.offsets[place]!;
    return [{ label: labels[best]!, score: scores[best]!, id, index: place, start, end }];
  });
}

/** The tags of a text from those of its windows: where two overlap, each gives the half that is farther from its edge. */
function joinWindows(tags: readonly Tag[][], windows: readonly Encoding[], stride: number): Tag[] {
  if (windows.length === 1) return tags[0]!;
  const half = Math.floor(stride / 2);
  let before = 0;
  return tags.flatMap((own, window) => {
    const from = window === 0 ? 0 : stride - half;
    const to = window === windows.length - 1 ? own.length : own.length - half;
    const kept = own.slice(from, to).map((tag) => ({ ...tag, index: tag.index + before }));
    before += own.length - stride;
    return kept;
  });
}

function found(
  tags: readonly Tag[],
  text: string,
  { aggregationStrategy, ignoreLabels }: z.output<typeof schema>,
  decode: (ids: readonly number[]) => string,
): (TaggedToken | TaggedEntity)[] {
  if (aggregationStrategy === "none") {
    return tags.flatMap(({ label, score, id, index, start, end }) =>
      ignoreLabels.includes(label)
        ? []
        : [{ entity: label, score, index, word: decode([id]).trim(), start, end }],
    );
  }
  return groups(tags).flatMap((group) => {
    const [first] = group;
    const name = partsOf(first!.label).name;
    if (ignoreLabels.includes(first!.label) || ignoreLabels.includes(name)) return [];
    const score = group.reduce((sum, tag) => sum + tag.score, 0) / group.length;
    const [start, end] = [first!.start, group.at(-1)!.end];
    const word = text.slice(start, end).trim();
    return [{ entity_group: name, score, word, start, end }];
  });
}

/** Neighbouring tokens with the same label; `B-` begins anew. */
function groups(tags: readonly Tag[]): Tag[][] {
  const result: Tag[][] = [];
  for (const tag of tags) {
    const group = result.at(-1);
    const { begins, name } = partsOf(tag.label);
    const goesOn = group !== undefined && !begins && partsOf(group.at(-1)!.label).name === name;
    if (goesOn) group.push(tag);
    else result.push([tag]);
  }
  return result;
}

function partsOf(label: string): { begins: boolean; name: string } {
  const [, position, name] = /^([BI])-(.*)$/s.exec(label) ?? [undefined, "I", label];
  return { begins: position === "B", name: name! };
}
