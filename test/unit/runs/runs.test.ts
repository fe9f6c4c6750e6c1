import { describe, expect, test } from "vitest";
import {
  compareRuns,
  comparisonPage,
  comparisonPicture,
  distinctNames,
  resultRows,
} from "../../../src/runs/comparison.ts";
import { dashboardParts, dashboardState } from "../../../src/runs/dashboard-page.ts";
import { recipeRows } from "../../../src/runs/recipe-rows.ts";
import { parseJournal, parseLog } from "../../../src/runs/records.ts";
import { reportPage } from "../../../src/runs/report.ts";
import { samplesOf, summarize } from "../../../src/runs/stored-run.ts";
import { recordsOf, storedRun } from "./runs.ts";

/** The headings of a page, in order. */
const headings = (html: string) => [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, text]) => text);

describe("lines of a log", () => {
  const good = JSON.stringify(recordsOf(1)[0]);

  test("are read; damaged ones are told with their numbers and cost only themselves", () => {
    const lines = [
      good,
      '{"type":"step","st',
      "",
      "[1]",
      '{"type":"stap","step":1}',
      '{"type":"step","step":"1"}',
      good,
    ];
    const { records, problems } = parseLog(lines.join("\n"), "log.jsonl");
    expect(records).toHaveLength(2);
    expect(problems).toEqual([
      "log.jsonl:2: is no JSON object; the line is left out",
      "log.jsonl:4: is no JSON object; the line is left out",
      'log.jsonl:5: its type must be one of step, validation, sample; got "stap"; the line is left out',
      "log.jsonl:6: step must be a number; the line is left out",
    ]);
  });

  test("of a journal have a type and a time", () => {
    expect(parseJournal('{"type":"message"}\n', "e", 7).problems).toEqual([
      "e:7: has no type and time; the line is left out",
    ]);
  });
});

describe("a summary", () => {
  test("says what the run came to", () => {
    expect(summarize(storedRun("runs/a"))).toMatchObject({
      name: "a",
      task: "translation",
      status: "finished",
      step: 30,
      maxSteps: 30,
      seconds: 15,
      tokens: 15_000,
      tokensPerSecond: 1000,
      parameters: 1234,
      engine: "engine 1",
      threads: 2,
      best: { step: 20 },
      last: { step: 30 },
      average: undefined,
      metrics: ["perplexity", "bleu"],
    });
  });

  test("takes the mean of checkpoints for no step of the training", () => {
    const mean = { ...recordsOf(10).find(({ type }) => type === "validation")!, of: "average", best: false };
    const run = storedRun("a", { records: [...recordsOf(10), mean] as never });
    expect(summarize(run)).toMatchObject({ last: { step: 10, best: true }, average: { of: "average" } });
  });

  const { journal } = storedRun("a");
  test.each([
    ["finished", { journal }],
    ["running", { journal: journal.slice(0, 3), isAlive: true }],
    ["killed", { journal: journal.slice(0, 3), isAlive: false }],
    ["preparing", { journal: journal.slice(0, 2), isAlive: true }],
    ["finished", { journal: [] }],
    ["unknown", { journal: [], records: recordsOf(5) }],
    ["unknown", { journal: [], recipe: undefined }],
    ["failed", { journal: [...journal, { time: "", type: "failure", text: "x" }] as never }],
    [
      "paused",
      { journal: [...journal.slice(0, 3), { time: "", type: "paused", step: 3 }] as never, isAlive: true },
    ],
    [
      "running",
      { journal: [...journal.slice(0, 3), { time: "", type: "resumed", step: 3 }] as never, isAlive: true },
    ],
  ] as const)("knows the status %s", (status, changes) => {
    expect(summarize(storedRun("a", changes)).status).toBe(status);
  });

  test("puts what became of a text together", () => {
    expect(samplesOf(storedRun("a"))[0]).toEqual({
      source: "one <b>",
      target: "zwei",
      course: [
        { step: 10, got: "at 10" },
        { step: 20, got: "zwei" },
        { step: 30, got: "zwei" },
      ],
    });
  });
});

describe("recipe rows", () => {
  const rows = new Map(recipeRows(storedRun("a").recipe).map((row) => [row.key, row]));

  test("mark what differs from the defaults, and say what those are", () => {
    expect(rows.get("training.max_steps")).toEqual({
      key: "training.max_steps",
      value: 30,
      defaultValue: 10_000,
      isDefault: false,
    });
    expect(rows.get("training.learning_rate")).toMatchObject({ value: 0.001, isDefault: true });
    expect(rows.get("training.early_stopping_patience")).toMatchObject({ value: null, isDefault: true });
    expect(rows.get("data.train_source")).toMatchObject({ defaultValue: undefined, isDefault: false });
  });

  test("of what is no recipe of today have no defaults, but are shown", () => {
    expect(recipeRows({ old: { key: 1 } })).toEqual([
      { key: "old.key", value: 1, defaultValue: undefined, isDefault: false },
    ]);
    expect(recipeRows(undefined)).toEqual([]);
  });
});

describe("the report", () => {
  const html = reportPage(storedRun("runs/a"), "const x = '</script>';");

  test("has a part for each thing known", () => {
    expect(headings(html)).toEqual([
      "Validation",
      "Samples",
      "How to use it",
      "Data, model, engine",
      "Recipe",
      "What happened",
    ]);
    expect(html).toContain('<span class="status finished">finished</span>');
    expect(html).toContain("5,000 pairs, 60,000 source tokens");
    expect(html).toContain("qkv translate --model runs/a &quot;...&quot;");
    expect(html).toContain(
      '<tr class="set"><th scope="row">max_steps</th><td>30 <span class="was">default 10000</span>',
    );
    expect(html).toContain('<th scope="row">best</th><td>20</td><td>1.2500</td><td>3.490</td><td>40.00</td>');
    expect(html).toContain("<span>zwei ✓</span>");
  });

  test("loads nothing from elsewhere, and text stays text", () => {
    expect(html).not.toMatch(/<link(?! rel="icon" href="data:,")|<img|src=|@import|url\(/);
    expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    expect(html).toContain("A &lt;small&gt; one.");
    expect(html).toContain("one &lt;b&gt;");
    expect(html.match(/<\/script>/g)).toHaveLength(1);
  });

  test("of a run without journal, model and recipe leaves those parts out, and tells what could not be read", () => {
    const bare = storedRun("a b", {
      journal: [],
      recipe: undefined,
      model: undefined,
      data: [],
      state: undefined,
      problems: ["log.jsonl:3: is no JSON object; the line is left out"],
    });
    const text = reportPage(bare, "");
    expect(headings(text)).toEqual(["Validation", "Samples", "How to use it", "Could not be read"]);
    expect(text).toContain("qkv train --out &#39;a b&#39; --resume");
    expect(text).toContain("log.jsonl:3: is no JSON object");
  });
});

describe("a comparison", () => {
  const runs = [
    storedRun("runs/a"),
    storedRun("runs/b", { records: recordsOf(20, 0.5) }, { learning_rate: 0.002 }),
  ];

  test("names runs by as much of their paths as tells them apart", () => {
    expect(distinctNames(["x/a", "x/b/"])).toEqual(["a", "b"]);
    expect(distinctNames(["x/one/run", "./x/two/run"])).toEqual(["one/run", "two/run"]);
    expect(distinctNames(["x", "y/x"])).toEqual(["x", "y/x"]);
    expect(distinctNames(["x", "x/"])).toEqual(["x (1)", "x/ (2)"]);
  });

  test("has what differs in the recipes, and results", () => {
    const comparison = compareRuns(runs);
    expect(comparison.differing).toEqual([{ key: "training.learning_rate", values: [0.001, 0.002] }]);
    expect(resultRows(comparison)).toEqual([
      { name: "status", values: ["finished", "finished"] },
      { name: "steps", values: ["30 of 30", "20 of 30"] },
      { name: "time", values: ["15s", "10s"] },
      { name: "tokens per second", values: ["1,000", "1,000"] },
      { name: "parameters", values: ["1.23 k", "1.23 k"] },
      { name: "best validation loss", values: ["1.2500 at 20", "0.6250 at 20"] },
      { name: "last validation loss", values: ["1.1667 at 30", "0.6250 at 20"] },
      { name: "best perplexity", values: ["3.490", "1.868"] },
      { name: "last perplexity", values: ["3.211", "1.868"] },
      { name: "best BLEU", values: ["40.00", "40.00"] },
      { name: "last BLEU", values: ["60.00", "40.00"] },
    ]);
  });

  test("draws the curves of all runs over each other, by step or time", () => {
    const svg = comparisonPicture(runs, "step");
    for (const title of [
      "Validation loss",
      "Training loss",
      "BLEU",
      "Learning rate",
      "Gradient norm",
      "Speed",
    ]) {
      expect(svg.split(`>${title}<`)).toHaveLength(2);
    }
    expect(svg.match(/>step</g)).toHaveLength(6);
    expect(svg.match(/class="line"/g)).toHaveLength(12);
    expect(svg).toContain(">a</tspan>");
    const timed = comparisonPicture(runs, "time");
    expect(timed.match(/>seconds</g)).toHaveLength(6);
    expect(comparisonPage(runs, "time", "")).toContain("10.00 seconds|");
  });

  test("as a page has curves, results and differences", () => {
    expect(headings(comparisonPage(runs, "step", ""))).toEqual(["Results", "Where the recipes differ"]);
    expect(comparisonPage([runs[0]!, runs[0]!], "step", "")).toContain("The recipes are the same.");
  });
});

describe("the dashboard's state", () => {
  const { journal } = storedRun("a");
  const running = storedRun("a", { journal: journal.slice(0, 3), isAlive: true, records: recordsOf(20) });
  const held = { preparing: undefined, isPaused: false, isStopping: false };

  test("knows the time that is left, and what can be asked", () => {
    expect(dashboardState(running, held)).toMatchObject({
      status: "running",
      secondsLeft: 5,
      actions: ["pause", "stop"],
    });
    expect(dashboardState(running, { ...held, isPaused: true }).actions).toEqual(["resume", "stop"]);
    expect(dashboardState(running, { ...held, isStopping: true }).actions).toEqual([]);
    expect(dashboardState(running, undefined).actions).toEqual([]);
    expect(dashboardState(storedRun("a"), held)).toMatchObject({ actions: [], secondsLeft: undefined });
  });

  test("before there is a folder shows what is under way", () => {
    const empty = storedRun("a", { journal: [], records: [], recipe: undefined });
    const state = dashboardState(empty, { ...held, preparing: { what: "tokenizing", done: 5, total: 10 } });
    expect(state).toMatchObject({ status: "preparing", actions: ["pause", "stop"] });
    expect(dashboardParts(empty, state).progress).toContain("tokenizing: 5 of 10");
    expect(dashboardParts(empty, state).recipe).toBe("");
    const endless = dashboardState(empty, { ...held, preparing: { what: "tokenizing", done: 5 } });
    expect(dashboardParts(empty, endless).progress).toBe('<p class="muted">tokenizing: 5</p>');
  });
});
