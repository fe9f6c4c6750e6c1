import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tickTexts, verticalScale } from "../../../src/training/curve-axes.ts";
import { isNoisy, smooth, thinOut } from "../../../src/training/curve-points.ts";
import {
  type CurvePoint,
  drawCurves,
  seriesOfLog,
  type TrainingSeries,
} from "../../../src/training/curves.ts";

function points(values: readonly number[]): CurvePoint[] {
  return values.map((value, index) => ({ step: index + 1, value }));
}

/** A number in [-1, 1) that looks random. */
function noise(index: number): number {
  return ((Math.imul(index + 1, 0x9e3779b1) >>> 0) / 2 ** 31 - 1) as number;
}

/** A training of that many steps, evaluated 20 times. */
function training(steps: number): TrainingSeries {
  const all = Array.from({ length: steps }, (_, index) => index + 1);
  const evaluated = all.filter((step) => step % Math.ceil(steps / 20) === 0);
  const of = (at: readonly number[], value: (step: number) => number) =>
    at.map((step) => ({ step, value: value(step) }));
  return {
    loss: of(all, (step) => 1.5 + 7 * Math.exp((-5 * step) / steps) + 0.2 * noise(step)),
    validationLoss: of(evaluated, (step) => 1.7 + 6 * Math.exp((-6 * step) / steps)),
    learningRate: of(all, (step) => 0.005 * Math.min(step / 2000, Math.sqrt(2000 / step))),
    gradientNorm: of(all, (step) => Math.exp(2 * noise(step * 7))),
    tokensPerSecond: of(all, (step) => 12_000 + 500 * noise(step * 3)),
    bleu: of(evaluated, (step) => (40 * step) / steps),
  };
}

/** The names and attributes of all elements; fails where the XML is not well-formed. */
function elementsOf(svg: string): { name: string; attributes: Record<string, string> }[] {
  const elements: { name: string; attributes: Record<string, string> }[] = [];
  const open: string[] = [];
  let position = 0;
  for (const match of svg.matchAll(/<(\/?)([\w-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    const between = svg.slice(position, match.index);
    expect(between).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
    position = match.index + match[0].length;
    const [, closing, name, attributes, empty] = match;
    if (closing) expect(open.pop()).toBe(name);
    else {
      if (!empty) open.push(name!);
      const pairs = [...attributes!.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
      elements.push({ name: name!, attributes: Object.fromEntries(pairs) });
    }
  }
  expect(open).toEqual([]);
  expect(svg.slice(position).trim()).toBe("");
  return elements;
}

/** The places that the lines and dots of a picture go through. */
function placesOf(svg: string): [x: number, y: number][] {
  return elementsOf(svg).flatMap(({ name, attributes }): [number, number][] => {
    if (name === "circle") return [[Number(attributes.cx), Number(attributes.cy)]];
    if (name !== "path" || !attributes.class?.startsWith("line")) return [];
    const numbers = attributes.d!.match(/-?[\d.]+/g)!.map(Number);
    return numbers.flatMap((x, index): [number, number][] =>
      index % 2 === 0 ? [[x, numbers[index + 1]!]] : [],
    );
  });
}

describe("drawCurves", () => {
  test("has a panel for each thing known, with title, units, axes and legend", () => {
    const svg = drawCurves(training(4000), { title: "multi30k", subtitle: "4 + 4 layers" });
    for (const text of [
      "multi30k",
      "4 + 4 layers",
      "Loss",
      "BLEU",
      "Learning rate",
      "Gradient norm",
      "Speed",
    ]) {
      expect(svg).toContain(`>${text}<`);
    }
    expect(svg).toContain("nats per token");
    expect(svg).toContain("tokens per second");
    expect(svg.match(/>step</g)).toHaveLength(5);
    expect(svg).toMatch(/training 1\.5\d\d</);
    expect(svg).toContain(">validation 1.715<");
    expect(svg).toContain(">40.00<");
  });

  test("says which validation was the best where it is not the last", () => {
    const validationLoss = [3, 1.25, 2].map((value, index) => ({ step: 1000 * (index + 1), value }));
    const svg = drawCurves({ validationLoss }, { title: "" });
    expect(svg).toContain(">validation 2.000, lowest 1.250 at step 2,000<");
    expect(svg.match(/class="best"/g)).toHaveLength(1);
  });

  test("leaves out what is not known", () => {
    const svg = drawCurves({ loss: points([3, 2, 1]) }, { title: "short" });
    expect(svg.match(/>step</g)).toHaveLength(1);
    expect(svg).not.toContain("BLEU");
    expect(elementsOf(drawCurves({}, { title: "nothing" })).length).toBeGreaterThan(3);
    expect(drawCurves({}, { title: "nothing" })).toContain("Nothing has been logged yet.");
  });

  test("stays small and quick, however long the training was", () => {
    for (const steps of [1000, 200_000]) {
      const svg = drawCurves(training(steps), { title: "long" });
      expect(svg.length).toBeLessThan(100_000);
      for (const { name, attributes } of elementsOf(svg)) {
        if (name === "path") expect(attributes.d!.split("L").length).toBeLessThanOrEqual(1000);
      }
    }
  });

  test("is one file of its own, for light and dark pages", () => {
    const svg = drawCurves(training(100), { title: "x" });
    expect(svg).not.toMatch(/<script|<image|href|url\(|@import|@font-face/);
    expect(svg).toContain("@media(prefers-color-scheme:dark)");
    expect(svg.match(/https?:[^"]*/g)).toEqual(["http://www.w3.org/2000/svg"]);
  });

  test("is the same text for the same series", () => {
    expect(drawCurves(training(300), { title: "x" })).toBe(drawCurves(training(300), { title: "x" }));
  });

  test("a title is text, whatever is in it", () => {
    const svg = drawCurves({}, { title: 'a<b> & "c"\u0000\ud800', subtitle: "</svg>" });
    elementsOf(svg);
    expect(svg).toContain('a&lt;b&gt; &amp; "c"  <');
  });

  test("noisy series have a pale line and their course, quiet ones one line", () => {
    const linesOf = (series: TrainingSeries) =>
      drawCurves(series, { title: "" }).match(/class="line( pale)?"/g);
    expect(linesOf({ loss: training(500).loss! })).toEqual(['class="line pale"', 'class="line"']);
    expect(linesOf({ learningRate: training(500).learningRate! })).toEqual(['class="line"']);
    expect(
      linesOf({ loss: points(Array.from({ length: 500 }, (_, index) => 1 / (index + 50))) }),
    ).toHaveLength(1);
  });

  test("property: any numbers give a well-formed picture with all places inside of it", () => {
    const series = fc
      .array(
        fc.record({
          step: fc.nat(100_000),
          value: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }),
        }),
      )
      .map((list) => list.sort((left, right) => left.step - right.step));
    fc.assert(
      fc.property(
        fc.record({ loss: series, bleu: series, gradientNorm: series, learningRate: series }),
        (all) => {
          const svg = drawCurves(all, { title: "any" });
          const height = Number(/height="(\d+)"/.exec(svg)![1]);
          expect(svg).not.toMatch(/NaN|Infinity|undefined/);
          for (const [x, y] of placesOf(svg)) {
            expect(x).toBeGreaterThanOrEqual(0);
            expect(x).toBeLessThanOrEqual(960);
            expect(y).toBeGreaterThanOrEqual(0);
            expect(y).toBeLessThanOrEqual(height);
          }
        },
      ),
    );
  });
});

describe("axes", () => {
  const isLogarithmic = (range: "tight" | "zero" | "log", values: number[]) => {
    const { scale } = verticalScale({ range, axis: "auto" }, values, 100, 0, 5);
    const [from, to] = scale.domain() as [number, number];
    return from > 0 && Math.abs(scale(Math.sqrt(from * to)) - 50) < 1e-9;
  };

  test("are logarithmic where the values exceed a decade", () => {
    expect(isLogarithmic("log", [1, 10.1])).toBe(true);
    expect(isLogarithmic("log", [1, 9.9])).toBe(false);
    expect(isLogarithmic("log", [0, 100])).toBe(false);
    expect(isLogarithmic("tight", [1, 100])).toBe(false);
  });

  test.each([
    ["log", [1.4, 28], [1, 2, 3, 5, 7, 10, 20, 30]],
    ["log", [0.02, 310], [0.1, 1, 10, 100]],
    ["log", [2, 9], [2, 3, 4, 5, 6, 7, 8, 9]],
    ["zero", [5, 48], [0, 10, 20, 30, 40, 50]],
    ["log", [1e-30, 1e30], [1e-30, 1e-17, 1e-4, 1e9, 1e22]],
    ["tight", [3, 3], [1.5, 2, 2.5, 3, 3.5, 4, 4.5]],
    ["zero", [0, 0], [-1, -0.5, 0, 0.5, 1]],
  ] as const)("%s: %j has ticks %j", (range, values, expected) => {
    expect(verticalScale({ range, axis: "auto" }, values, 100, 0, 5).ticks).toEqual(expected);
  });

  test("their numbers are short and in one unit", () => {
    expect(tickTexts([0, 2000, 4000])).toEqual(["0", "2000", "4000"]);
    expect(tickTexts([0, 5000, 10_000])).toEqual(["0", "5k", "10k"]);
    expect(tickTexts([500_000, 1_500_000])).toEqual(["0.5M", "1.5M"]);
    expect(tickTexts([0, 0.002, 0.004])).toEqual(["0", "0.002", "0.004"]);
    expect(tickTexts([0.01, 1, 100, 10_000])).toEqual(["0.01", "1", "100", "10000"]);
    expect(tickTexts([1e-5, 0.1])).toEqual(["1e-5", "0.1"]);
    expect(tickTexts([0, 2e-4, 1e-4 + 2e-4])).toEqual(["0", "2e-4", "3e-4"]);
  });
});

describe("points", () => {
  test("are read from the records of a log; a step that stands twice counts as it stands last", () => {
    const records = [
      { step: 2, loss: 5, learningRate: 0.1 },
      { step: 1, loss: 6, other: "x" },
      { step: 2, loss: 4, tokensPerSecond: null },
      { step: 3, loss: Number.NaN, validationLoss: 3, bleu: 20.5 },
      { event: "saved" },
    ];
    expect(seriesOfLog(records)).toEqual({
      loss: [
        { step: 1, value: 6 },
        { step: 2, value: 4 },
      ],
      learningRate: [{ step: 2, value: 0.1 }],
      validationLoss: [{ step: 3, value: 3 }],
      bleu: [{ step: 3, value: 20.5 }],
    });
  });

  test("property: thinned out, they are some of the points in order, with the first, the last and the peak", () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(values, fc.integer({ min: 3, max: 100 }), fc.nat(), (list, limit, at) => {
        list[at % list.length] = 1e6;
        const all = points(list);
        const few = thinOut(all, limit);
        expect(few.length).toBe(Math.min(limit, all.length));
        expect(few.map(({ step }) => step)).toEqual(
          [...new Set(few.map(({ step }) => step))].sort((a, b) => a - b),
        );
        expect(few.every((point) => all[point.step - 1] === point)).toBe(true);
        expect([few[0], few.at(-1)]).toEqual([all[0], all.at(-1)]);
        expect(few.some(({ value }) => value === 1e6)).toBe(true);
      }),
    );
  });

  test("smoothed, a constant stays, a line stays to where its end comes near, noise shrinks", () => {
    expect(smooth(points(Array(100).fill(3))).every(({ value }) => value === 3)).toBe(true);
    const straight = points(Array.from({ length: 1000 }, (_, index) => index));
    for (const [index, { value }] of smooth(straight).slice(0, 960).entries())
      expect(value).toBeCloseTo(index, 6);
    const noisy = points(Array.from({ length: 1000 }, (_, index) => noise(index)));
    const rest = smooth(noisy).slice(200);
    expect(Math.max(...rest.map(({ value }) => Math.abs(value)))).toBeLessThan(0.25);
    expect(isNoisy(noisy, smooth(noisy))).toBe(true);
    expect(isNoisy(straight, smooth(straight))).toBe(false);
  });
});
