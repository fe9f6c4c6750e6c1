import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Course } from "../../../src/cli/course.ts";
import { plainLine } from "../../../src/cli/progress-line.ts";
import {
  createProgress,
  formatCount,
  formatDuration,
  type ProgressFields,
  sparkline,
} from "../../../src/cli/terminal.ts";
import {
  cutToWidth,
  displayWidth,
  formatFixed,
  formatValue,
  formatWhole,
  shortenToWidth,
} from "../../../src/util/format.ts";

/** A stream that keeps what is written. */
class FakeStream {
  readonly isTTY: boolean;
  columns: number;
  readonly #colors: boolean;
  writes: string[] = [];

  constructor({ isTTY = true, columns = 200, colors = false } = {}) {
    this.isTTY = isTTY;
    this.columns = columns;
    this.#colors = colors;
  }

  write(text: string): boolean {
    this.writes.push(text);
    return true;
  }

  hasColors(): boolean {
    return this.#colors;
  }

  get text(): string {
    return this.writes.join("");
  }

  /** The line that the last drawing left on the screen. */
  get drawn(): string {
    return this.writes.at(-1)!.replace(/^\r/, "").replace("\x1b[K", "");
  }
}

function progressOn(stream: FakeStream, total = 20_000, label = "train") {
  return createProgress(stream as unknown as NodeJS.WriteStream, { total, label });
}

const fields: ProgressFields = {
  step: 8400,
  loss: 2.34567,
  perplexity: 10.4402,
  learningRate: 0.000707,
  gradientNorm: 0.5123,
  tokensPerSecond: 12_345,
  secondsLeft: 725,
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubEnv("NO_COLOR", "");
  vi.stubEnv("TERM", "xterm");
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe("the bar on a terminal", () => {
  test("shows every field on one line, and the course of the loss", () => {
    const stream = new FakeStream();
    const progress = progressOn(stream);
    for (const [index, loss] of [9, 6, 4, 3, 2.5, 2.34567].entries()) {
      progress.update({ ...fields, step: 8395 + index, loss });
      vi.advanceTimersByTime(1000);
    }
    expect(stream.drawn).toMatchInlineSnapshot(
      `"train  ━━━━━━━━━━━━━─────────────────   42%   8,400/20,000  loss 2.346  ppl 10.44  lr 7.07e-4  grad 0.512  12.3 k tok/s  12m05s left  ██▄▂▁▁  "`,
    );
    progress.done();
  });

  test("is never wider than the terminal, and leaves out the least important first", () => {
    const stream = new FakeStream();
    const progress = progressOn(stream, 20_000, "训练 train");
    const seen: string[] = [];
    for (let columns = 160; columns >= 1; columns--) {
      stream.columns = columns;
      progress.update(fields);
      vi.advanceTimersByTime(100);
      expect(displayWidth(stream.drawn), stream.drawn).toBeLessThanOrEqual(Math.max(1, columns - 1));
      if ([110, 60, 30, 8].includes(columns)) seen.push(stream.drawn);
    }
    expect(seen).toMatchInlineSnapshot(`
      [
        "训练 train  ━━━━──────   42%   8,400/20,000  loss 2.346  ppl 10.44  12.3 k tok/s  12m05s left  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁",
        "训练 train   42%   8,400/20,000  loss 2.346  12m05s left",
        "训练 train   42%  loss 2.346",
        " 42%",
      ]
    `);
    progress.done();
  });

  test("is drawn at most ten times a second, the last state always", () => {
    const stream = new FakeStream();
    const progress = progressOn(stream);
    for (let step = 1; step <= 1000; step++) {
      progress.update({ step });
      vi.advanceTimersByTime(1);
    }
    expect(stream.writes.length).toBeLessThanOrEqual(11);
    vi.advanceTimersByTime(100);
    expect(stream.drawn).toContain(" 1,000/20,000");
    const count = stream.writes.length;
    vi.advanceTimersByTime(5000);
    expect(stream.writes.length).toBe(count);
    progress.done();
  });

  test("is cleared at the end and then stays away", () => {
    const stream = new FakeStream();
    const progress = progressOn(stream);
    progress.update({ step: 1 });
    progress.update({ step: 2 });
    progress.done();
    expect(stream.writes.at(-1)).toBe("\r\x1b[K");
    const count = stream.writes.length;
    progress.update({ step: 3 });
    progress.done();
    vi.advanceTimersByTime(1000);
    expect(stream.writes.length).toBe(count);
    progress.line("after");
    expect(stream.writes.at(-1)).toBe("after\n");
  });

  test("nothing is cleared where nothing was drawn", () => {
    const stream = new FakeStream();
    progressOn(stream).done();
    expect(stream.text).toBe("");
  });

  test("a line stands above the bar", () => {
    const stream = new FakeStream();
    const progress = progressOn(stream);
    progress.update({ step: 5 });
    vi.advanceTimersByTime(200);
    progress.line("validation 1.23");
    expect(stream.writes.slice(1)).toEqual(["\r\x1b[K", "validation 1.23\n", stream.writes[0]]);
    progress.done();
  });

  test("has colours only where the terminal has them and NO_COLOR is not set", () => {
    const draw = (colors: boolean) => {
      const stream = new FakeStream({ colors });
      const progress = progressOn(stream);
      progress.update(fields);
      progress.done();
      return stream.writes[0]!;
    };
    const isColored = (text: string) => text.replace("\x1b[K", "").includes("\x1b[");
    expect(isColored(draw(true))).toBe(true);
    expect(isColored(draw(false))).toBe(false);
    vi.stubEnv("NO_COLOR", "1");
    expect(isColored(draw(true))).toBe(false);
  });

  test("control characters of a label do not reach the terminal", () => {
    const stream = new FakeStream();
    const progress = progressOn(stream, 10, "a\x1b[2J\nb");
    progress.update({ step: 1 });
    expect(stream.drawn).toContain("a [2J b");
    progress.done();
  });
});

describe("lines where there is no terminal", () => {
  test("are printed every ten seconds and at the end", () => {
    const stream = new FakeStream({ isTTY: false });
    const progress = progressOn(stream, 100);
    for (let step = 1; step <= 50; step++) {
      progress.update({ ...fields, step });
      vi.advanceTimersByTime(500);
    }
    progress.line("saved");
    progress.done();
    const measured =
      "loss 2.346, perplexity 10.44, learning rate 7.07e-4, gradient norm 0.512, 12.3 k tokens/s, 12m05s left";
    expect(stream.text).toBe(
      `train 1/100 (1%), ${measured}\ntrain 21/100 (21%), ${measured}\ntrain 41/100 (41%), ${measured}\n` +
        `saved\ntrain 50/100 (50%), ${measured}\n`,
    );
  });

  test("the last one is not printed twice", () => {
    const stream = new FakeStream({ isTTY: false });
    const progress = progressOn(stream, 3, "read");
    progress.update({ step: 3 });
    progress.done();
    expect(stream.text).toBe("read 3/3 (100%)\n");
  });

  test("tell no share of what is not known before", () => {
    for (const isTTY of [false, true]) {
      const stream = new FakeStream({ isTTY });
      const options = { total: undefined, label: "tokenizing" };
      const progress = createProgress(stream as unknown as NodeJS.WriteStream, options);
      progress.update({ step: 1024 });
      expect(stream.text).toContain("1,024");
      expect(stream.text).not.toMatch(/%|━|─|left/);
      progress.done();
    }
  });

  test("are what a terminal without cursor gets", () => {
    vi.stubEnv("TERM", "dumb");
    const stream = new FakeStream({ colors: true });
    const progress = progressOn(stream, 3, "read");
    progress.update({ step: 1 });
    expect(stream.text).toBe("read 1/3 (33%)\n");
  });
});

describe("the time left", () => {
  test("follows the speed of the last minute", () => {
    const course = new Course(1000);
    course.add(100);
    expect(course.secondsLeft()).toBeUndefined();
    for (let step = 101; step <= 200; step++) {
      vi.advanceTimersByTime(500);
      course.add(step);
    }
    expect(course.secondsLeft()).toBeCloseTo(400, 5);
    for (let step = 201; step <= 300; step++) {
      vi.advanceTimersByTime(2000);
      course.add(step);
    }
    expect(course.secondsLeft()).toBeCloseTo(1400, 5);
  });

  test("counts from where the run was resumed", () => {
    const course = new Course(20_000);
    course.add(10_000);
    vi.advanceTimersByTime(10_000);
    course.add(10_100);
    expect(course.secondsLeft()).toBeCloseTo(990, 5);
  });
});

describe("the course of the losses", () => {
  test("keeps the whole run in few numbers, the mean exact", () => {
    const course = new Course(1);
    for (let step = 0; step < 4096; step++) course.add(step, step);
    expect(course.losses.length).toBeLessThanOrEqual(256);
    expect(course.losses[0]).toBeCloseTo((course.losses[1]! - course.losses[0]!) / 2 - 0.5, 9);
    expect(course.losses.at(-1)).toBeGreaterThan(4000);
    const mean = course.losses.reduce((sum, loss) => sum + loss, 0) / course.losses.length;
    expect(mean).toBeCloseTo(2047.5, 6);
  });

  test("leaves out what is not finite", () => {
    const course = new Course(1);
    for (const loss of [1, Number.NaN, Number.POSITIVE_INFINITY, 2]) course.add(1, loss);
    expect(course.losses).toEqual([1, 2]);
  });
});

describe("sparkline", () => {
  test("has eight heights from the lowest to the highest value", () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe("▁▂▃▄▅▆▇█");
    expect(sparkline([7, 3.4, -7], 80)).toBe("█▆▁");
  });

  test("averages what does not fit", () => {
    expect(sparkline([0, 2, 5, 3, 8, 8], 3)).toBe("▁▄█");
    expect([...sparkline(Array.from({ length: 1000 }, Math.sin), 13)]).toHaveLength(13);
  });

  test("is calm about one value, none, equal ones and ones that are not finite", () => {
    expect(sparkline([], 5)).toBe("");
    expect(sparkline([3], 5)).toBe("▁");
    expect(sparkline([3, 3], 5)).toBe("▁▁");
    expect(sparkline([1, Number.NaN, 2, Number.POSITIVE_INFINITY], 5)).toBe("▁ █ ");
    expect(sparkline([Number.NaN], 5)).toBe(" ");
  });
});

test.each([
  [0, "0s"],
  [0.4, "0s"],
  [42, "42s"],
  [59.6, "1m00s"],
  [200, "3m20s"],
  [3599.5, "1h00m"],
  [7500, "2h05m"],
  [86_400, "1d00h"],
  [273_600, "3d04h"],
  [Number.NaN, "?"],
  [Number.POSITIVE_INFINITY, "?"],
  [-1, "?"],
])("formatDuration(%d) is %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [0, "0"],
  [0.5, "0.5"],
  [12, "12"],
  [999.4, "999"],
  [999.6, "1.00 k"],
  [1234, "1.23 k"],
  [12_345, "12.3 k"],
  [999_499, "999 k"],
  [999_999, "1.00 M"],
  [1_234_567, "1.23 M"],
  [-1_234_567, "-1.23 M"],
  [2_600_000_000, "2.60 G"],
  [1e15, "1000 T"],
  [Number.NaN, "NaN"],
])("formatCount(%d) is %s", (value, text) => {
  expect(formatCount(value)).toBe(text);
});

test.each([
  [2.34567, "2.346"],
  [12.34567, "12.35"],
  [0, "0.000"],
  [0.01234567, "0.012"],
  [123.456, "123.5"],
  [0.0000123, "1.23e-5"],
  [-0.5, "-0.500"],
  [12_345, "12.3 k"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
])("formatValue(%d) is %s", (value, text) => {
  expect(formatValue(value)).toBe(text);
});

test("formatFixed gives nothing no sign", () => {
  expect([-0, -0.00001, -0.5, 1.23456].map((value) => formatFixed(value, 4))).toEqual([
    "0.0000",
    "0.0000",
    "-0.5000",
    "1.2346",
  ]);
});

test("shortenToWidth marks what it leaves out", () => {
  expect(shortenToWidth("four", 4)).toBe("four");
  expect(shortenToWidth("fives", 4)).toBe("fiv…");
  expect(shortenToWidth("日本語", 4)).toBe("日…");
});

test("a learning rate of nothing is 0", () => {
  const line = plainLine({ step: 1, learningRate: 0 }, { total: 2, label: "training" }, new Course(2));
  expect(line).toContain("learning rate 0");
  expect(line).not.toContain("0.00");
});

test("formatWhole groups by thousands", () => {
  expect([0, 999, 1000, 1_234_567].map(formatWhole)).toEqual(["0", "999", "1,000", "1,234,567"]);
});

test("widths count what the terminal shows", () => {
  expect([..."aé", "字", "👍", "e\u0301", "\u200b"].map(displayWidth)).toEqual([1, 1, 2, 2, 1, 0]);
  expect(cutToWidth("a字b", 2)).toBe("a");
  expect(cutToWidth("a字b", 3)).toBe("a字");
});
