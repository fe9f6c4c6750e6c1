import { type RandomStream, shuffle } from "../../util/random.ts";

/** How spans of tokens are taken out of a text. */
export interface SpanCorruptionOptions {
  /** The share of tokens that is taken out. */
  readonly noiseDensity: number;
  /** The mean length of a span, in tokens. */
  readonly meanSpanLength: number;
  /** The tokens that stand for the first, second ... span, on both sides. */
  readonly sentinelIds: readonly number[];
}

/** A text with gaps, and what stood in them. */
export interface CorruptedText {
  readonly source: number[];
  readonly target: number[];
}

/**
 * Takes spans out of a text: "Thank you <X> me to your party <Y> week", and "<X> for inviting <Y> last".
 * Both lack their end mark. The spans' number and lengths are as in T5's code: noise and rest are each cut at random
 * into the same number of pieces, which alternate, the rest first.
 * Source: Raffel et al., 2020, 3.1.4, and the code that belongs to it.
 */
export function corruptSpans(
  ids: ArrayLike<number>,
  { noiseDensity, meanSpanLength, sentinelIds }: SpanCorruptionOptions,
  random: RandomStream,
): CorruptedText {
  const length = ids.length;
  if (length < 2) return { source: Array.from(ids), target: [] };
  const noiseCount = Math.min(Math.max(roundHalfToEven(length * noiseDensity), 1), length - 1);
  const wanted = Math.max(1, roundHalfToEven(noiseCount / meanSpanLength));
  const spanCount = Math.min(wanted, noiseCount, length - noiseCount, sentinelIds.length);
  const noise = cutAtRandom(noiseCount, spanCount, random);
  const rest = cutAtRandom(length - noiseCount, spanCount, random);
  const source: number[] = [];
  const target: number[] = [];
  let place = 0;
  for (let span = 0; span < spanCount; span++) {
    for (const end = place + rest[span]!; place < end; place++) source.push(ids[place]!);
    source.push(sentinelIds[span]!);
    target.push(sentinelIds[span]!);
    for (const end = place + noise[span]!; place < end; place++) target.push(ids[place]!);
  }
  return { source, target };
}

/** As TensorFlow rounds. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

/** The lengths of `pieces` parts, each at least 1, that `length` is cut into; every way to do so is as likely. */
function cutAtRandom(length: number, pieces: number, random: RandomStream): number[] {
  const isCut = new Uint8Array(length - 1).fill(1, 0, pieces - 1);
  shuffle(isCut, random);
  const lengths: number[] = [];
  let start = 0;
  isCut.forEach((cut, index) => {
    if (cut === 0) return;
    lengths.push(index + 1 - start);
    start = index + 1;
  });
  lengths.push(length - start);
  return lengths;
}
