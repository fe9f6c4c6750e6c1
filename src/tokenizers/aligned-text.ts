/**
 * A text together with the place in the original text that each of its UTF-16 units comes from:
 * unit `i` stands for the original units from `starts[i]` up to, not including, `ends[i]`.
 * Both units of a surrogate pair have the same place.
 */
export interface AlignedText {
  readonly text: string;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** A text that is its own original. */
export function alignWithItself(text: string): AlignedText {
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const isPair = isSurrogatePair(text, index);
    starts[index] = index;
    ends[index] = index + (isPair ? 2 : 1);
    if (isPair) {
      index++;
      starts[index] = index - 1;
      ends[index] = index + 1;
    }
  }
  return { text, starts, ends };
}

/** The units from `from` up to, not including, `to`. */
export function sliceAligned(source: AlignedText, from: number, to: number): AlignedText {
  if (from === 0 && to === source.text.length) return source;
  return {
    text: source.text.slice(from, to),
    starts: source.starts.subarray(from, to),
    ends: source.ends.subarray(from, to),
  };
}

/** Whether a character of two UTF-16 units starts at `index`. */
export function isSurrogatePair(text: string, index: number): boolean {
  const high = text.charCodeAt(index);
  if (high < 0xd800 || high > 0xdbff) return false;
  const low = text.charCodeAt(index + 1);
  return low >= 0xdc00 && low <= 0xdfff;
}

/** What a rewriting of a text is written to. */
export interface RewriteOutput {
  /** Takes the units of the source from `from` up to, not including, `to`, as they are. */
  keep(from: number, to: number): void;
  /** Puts `text` in, which stands for the same place as the unit `like` of the source. */
  put(text: string, like: number): void;
}

/**
 * A change of a text, told as a series of kept ranges and new texts in order.
 * `atStart` says whether the text begins where the original text begins.
 */
export type Rewrite = (text: string, output: RewriteOutput, atStart: boolean) => void;

/** The result of a rewriting, without places. */
export function rewriteText(rewrite: Rewrite, text: string, atStart: boolean): string {
  let result = "";
  const output: RewriteOutput = {
    keep: (from, to) => {
      result += text.slice(from, to);
    },
    put: (inserted) => {
      result += inserted;
    },
  };
  rewrite(text, output, atStart);
  return result;
}

/** The result of a rewriting with the place of each unit. */
export function rewriteAligned(rewrite: Rewrite, source: AlignedText): AlignedText {
  let text = "";
  const starts: number[] = [];
  const ends: number[] = [];
  const output: RewriteOutput = {
    keep: (from, to) => {
      text += source.text.slice(from, to);
      for (let unit = from; unit < to; unit++) {
        starts.push(source.starts[unit]!);
        ends.push(source.ends[unit]!);
      }
    },
    put: (inserted, like) => {
      text += inserted;
      for (let unit = 0; unit < inserted.length; unit++) {
        starts.push(source.starts[like] ?? 0);
        ends.push(source.ends[like] ?? 0);
      }
    },
  };
  rewrite(source.text, output, source.starts[0] === 0);
  return { text, starts: Int32Array.from(starts), ends: Int32Array.from(ends) };
}
