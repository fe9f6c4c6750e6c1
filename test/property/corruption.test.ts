/** What is drawn to spoil texts: shares, order and what can be restored, for any text and seed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { corruptSpans } from "../../src/training/corruption/corrupt-spans.ts";
import { infillText } from "../../src/training/corruption/infill-text.ts";
import { maskTokens } from "../../src/training/corruption/mask-tokens.ts";
import { pairSegments } from "../../src/training/corruption/pair-segments.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";

const seeds = fc.nat({ max: 1e6 });
const texts = fc.array(fc.integer({ min: 10, max: 99 }), { maxLength: 80 });
const streamOf = (seed: number) => new RandomStream(randomKey(seed, "test"));
const sorted = (ids: ArrayLike<number>) => Array.from(ids).sort((left, right) => left - right);

describe("masked tokens", () => {
  const options = { probability: 0.15, maskId: 4, vocabSize: 100, isSpecial: (id: number) => id < 10 };
  const framed = texts.map((ids) => [2, ...ids, 3]);

  test("labels are the tokens at chosen places; the others stay; special ones are never chosen", () => {
    fc.assert(
      fc.property(framed, seeds, (ids, seed) => {
        const { inputIds, labels } = maskTokens(ids, options, streamOf(seed));
        expect(inputIds).toHaveLength(ids.length);
        ids.forEach((id, place) => {
          if (labels[place] === -100) expect(inputIds[place]).toBe(id);
          else expect([labels[place], id >= 10]).toEqual([id, true]);
        });
        const chosen = labels.filter((label) => label !== -100).length;
        expect(chosen >= 1).toBe(ids.length > 2);
      }),
    );
  });

  test("are the same for the same seed", () => {
    fc.assert(
      fc.property(framed, seeds, (ids, seed) => {
        expect(maskTokens(ids, options, streamOf(seed))).toEqual(maskTokens(ids, options, streamOf(seed)));
      }),
    );
  });

  test("15 in 100 are chosen; of them 80 in 100 masked, 10 replaced, 10 left", () => {
    const ids = new Int32Array(200_000).fill(50);
    const { inputIds, labels } = maskTokens(ids, options, streamOf(1));
    const places = [...labels.keys()].filter((place) => labels[place] !== -100);
    const share = (is: (id: number) => boolean) =>
      places.filter((place) => is(inputIds[place]!)).length / places.length;
    expect(places.length / ids.length).toBeCloseTo(0.15, 2);
    expect(share((id) => id === 4)).toBeCloseTo(0.8 + 0.1 / 100, 2);
    // A replacement may be the token itself.
    expect(share((id) => id === 50)).toBeCloseTo(0.1 + 0.1 / 100, 2);
    expect(share((id) => id !== 50 && id !== 4)).toBeCloseTo(0.1, 2);
  });
});

describe("corrupted spans", () => {
  const sentinelIds = Array.from({ length: 100 }, (_, gap) => 1000 + gap);
  const choices = fc.record({
    noiseDensity: fc.double({ min: 0.05, max: 0.9, noNaN: true }),
    meanSpanLength: fc.double({ min: 1, max: 6, noNaN: true }),
  });

  /** Puts each gap's tokens back. */
  function restored(source: readonly number[], target: readonly number[]): number[] {
    const gaps = new Map<number, number[]>();
    let gap: number[] = [];
    for (const id of target) {
      if (id < 1000) gap.push(id);
      else {
        gap = [];
        gaps.set(id, gap);
      }
    }
    return source.flatMap((id) => (id < 1000 ? [id] : gaps.get(id)!));
  }

  test("source and target together are the text; sentinels come in order, each once on each side", () => {
    fc.assert(
      fc.property(texts, choices, seeds, (ids, choice, seed) => {
        const { source, target } = corruptSpans(ids, { ...choice, sentinelIds }, streamOf(seed));
        expect(restored(source, target)).toEqual(ids);
        const of = (side: readonly number[]) => side.filter((id) => id >= 1000);
        expect(of(source)).toEqual(of(target));
        expect(of(source)).toEqual(sentinelIds.slice(0, of(source).length));
        if (ids.length >= 2) expect(source[0]).toBeLessThan(1000);
      }),
    );
  });

  test("as many tokens and spans are taken out as in T5's code", () => {
    const halfToEven = (value: number) => {
      const floor = Math.floor(value);
      const rest = value - floor;
      return rest < 0.5 ? floor : rest > 0.5 ? floor + 1 : floor + (floor % 2);
    };
    fc.assert(
      fc.property(texts, choices, seeds, (ids, choice, seed) => {
        fc.pre(ids.length >= 2);
        const { source, target } = corruptSpans(ids, { ...choice, sentinelIds }, streamOf(seed));
        const noise = Math.min(Math.max(halfToEven(ids.length * choice.noiseDensity), 1), ids.length - 1);
        const spans = Math.max(halfToEven(noise / choice.meanSpanLength), 1);
        expect(target.filter((id) => id < 1000)).toHaveLength(noise);
        expect(target.filter((id) => id >= 1000)).toHaveLength(Math.min(spans, ids.length - noise));
        expect(source).toHaveLength(ids.length - noise + Math.min(spans, ids.length - noise));
      }),
    );
  });

  test("512 tokens with T5's choices: 77 in 26 spans, whose ends may lie anywhere", () => {
    const ids = Array.from({ length: 512 }, (_, place) => place);
    const choice = { noiseDensity: 0.15, meanSpanLength: 3, sentinelIds };
    const { source, target } = corruptSpans(ids, choice, streamOf(5));
    expect([source.length, target.length]).toEqual([512 - 77 + 26, 77 + 26]);
    const lengths = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const own = corruptSpans(ids, choice, streamOf(seed)).target;
      const places = [...own.keys()].filter((place) => own[place]! >= 1000);
      places.forEach((place, span) => {
        lengths.add((places[span + 1] ?? own.length) - place - 1);
      });
    }
    expect(Math.min(...lengths)).toBe(1);
    expect(Math.max(...lengths)).toBeGreaterThan(6);
  });

  test("a text that is too short stays whole, and no more gaps than sentinels", () => {
    const choice = { noiseDensity: 0.5, meanSpanLength: 1, sentinelIds: [1000, 1001] };
    expect(corruptSpans([7], choice, streamOf(1))).toEqual({ source: [7], target: [] });
    const { source, target } = corruptSpans([11, 12, 13, 14, 15, 16, 17, 18], choice, streamOf(1));
    expect(source.filter((id) => id >= 1000)).toEqual([1000, 1001]);
    expect(restored(source, target)).toEqual([11, 12, 13, 14, 15, 16, 17, 18]);
  });
});

describe("infilled texts", () => {
  const maskId = 4;
  const options = fc.record({
    maskRatio: fc.double({ min: 0, max: 0.9, noNaN: true }),
    meanSpanLength: fc.double({ min: 0.2, max: 6, noNaN: true }),
  });
  const ends = (id: number) => id === 99;

  test("what is left keeps its order; no two masks stand where one would do; no more is hidden than asked for", () => {
    fc.assert(
      fc.property(texts, options, seeds, (ids, choice, seed) => {
        // Numbers tell the places apart.
        const places = ids.map((_, place) => place + 1000);
        const spoiled = infillText(
          places,
          { ...choice, maskId, permuteSentences: false, endsSentence: ends },
          streamOf(seed),
        );
        const left = spoiled.filter((id) => id !== maskId);
        expect(left).toEqual(sorted(left));
        const hidden = ids.length - left.length;
        expect(hidden).toBeLessThanOrEqual(Math.round(ids.length * choice.maskRatio));
        // Each gap has a mask; a mask without a gap stands for a span of nothing.
        const gaps = new Set<number>();
        places.forEach((id, at) => {
          if (!left.includes(id) && (at === 0 || left.includes(places[at - 1]!))) gaps.add(at);
        });
        const masks = spoiled.length - left.length;
        expect(masks).toBeGreaterThanOrEqual(gaps.size);
        expect(masks + hidden - gaps.size <= 0 || masks <= Math.round(ids.length * choice.maskRatio)).toBe(
          true,
        );
      }),
    );
  });

  test("hide three tenths in spans of three on average", () => {
    const ids = Array.from({ length: 4000 }, (_, place) => place + 1000);
    const spoiled = infillText(
      ids,
      { maskRatio: 0.3, meanSpanLength: 3, maskId, permuteSentences: false, endsSentence: ends },
      streamOf(2),
    );
    const masks = spoiled.filter((id) => id === maskId).length;
    const hidden = ids.length - (spoiled.length - masks);
    expect(hidden / ids.length).toBeGreaterThan(0.28);
    expect(hidden / ids.length).toBeLessThanOrEqual(0.3);
    expect(hidden / masks).toBeGreaterThan(2.5);
    expect(hidden / masks).toBeLessThan(3.3);
  });

  test("sentences change places as wholes", () => {
    fc.assert(
      fc.property(texts, seeds, (ids, seed) => {
        const spoiled = infillText(
          ids,
          { maskRatio: 0, meanSpanLength: 3, maskId, permuteSentences: true, endsSentence: ends },
          streamOf(seed),
        );
        const sentencesOf = (own: readonly number[]) => {
          const list: number[][] = [[]];
          for (const id of own) {
            list.at(-1)!.push(id);
            if (ends(id)) list.push([]);
          }
          return list.filter((sentence) => sentence.length > 0).map((sentence) => sentence.join(" "));
        };
        expect(sorted(spoiled)).toEqual(sorted(ids));
        // The last sentence may have no end, and then runs together with the one that comes behind it.
        if (ids.at(-1) === 99) expect(sentencesOf(spoiled).sort()).toEqual(sentencesOf(ids).sort());
      }),
    );
    const ids = [11, 99, 12, 99, 13, 99];
    const orders = new Set(
      Array.from({ length: 100 }, (_, seed) =>
        infillText(
          ids,
          { maskRatio: 0, meanSpanLength: 3, maskId, permuteSentences: true, endsSentence: ends },
          streamOf(seed),
        ).join(),
      ),
    );
    expect(orders.size).toBe(6);
  });
});

describe("pairs of segments", () => {
  const options = { endsSentence: (id: number) => id === 99, separatorId: 3, length: 40 };
  const streams = fc.array(fc.oneof(fc.integer({ min: 10, max: 98 }), fc.constantFrom(99, 3)), {
    minLength: 2,
    maxLength: 40,
  });

  test("the second follows the first, or is the end of something else; separators are left out", () => {
    fc.assert(
      fc.property(streams, streams, seeds, (own, others, seed) => {
        const other = others.map((id) => (id >= 10 && id < 99 ? id + 1000 : id));
        const { first, second, isRandom } = pairSegments(own, other, options, streamOf(seed));
        const text = (ids: readonly number[]) => ids.filter((id) => id !== 3);
        expect([...first, ...second].includes(3)).toBe(false);
        expect(first.length + second.length).toBeLessThanOrEqual(options.length);
        if (!isRandom) expect([...first, ...second]).toEqual(text(own));
        else {
          expect(text(own).slice(0, first.length)).toEqual(first);
          const whole = text(other).join(",");
          expect(whole.includes(second.join(","))).toBe(true);
        }
      }),
    );
  });

  test("half of them are random, and cuts lie behind sentences", () => {
    const own = [11, 12, 99, 13, 14, 99, 15, 16];
    let random = 0;
    for (let seed = 0; seed < 2000; seed++) {
      const pair = pairSegments(own, [21, 99, 22, 23], options, streamOf(seed));
      expect([3, 6]).toContain(pair.first.length);
      if (!pair.isRandom) continue;
      expect(pair.second).toEqual([22, 23]);
      random++;
    }
    expect(random / 2000).toBeCloseTo(0.5, 1);
  });
});
