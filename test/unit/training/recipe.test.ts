import { describe, expect, test } from "vitest";
import { endlessWarmup, scheduleOf } from "../../../src/training/optimization-choices.ts";
import { overrideRecipe, parseRecipe } from "../../../src/training/recipe.ts";
import type { TranslationRecipe } from "../../../src/training/translation-recipe.ts";

const data = { train_source: "a", train_target: "b" };

describe("a recipe", () => {
  test("needs only its data; everything else has a default", () => {
    const recipe = parseRecipe({ data }, "recipe.json") as TranslationRecipe;
    expect(recipe.training.learning_rate).toBe(1e-3);
    expect(recipe.model.d_model).toBe(256);
    expect(recipe.tokenizer.joint).toBe(true);
  });

  test.each<[unknown, RegExp]>([
    [{}, /^r\.json: data: is needed; got nothing$/],
    [
      { data: { train_source: "a" } },
      /data\.train_target: is needed; got nothing; give it: --set data\.train_target=/,
    ],
    [{ data, trainning: {} }, /unknown key "trainning" \(did you mean "training"\?\)/],
    [
      { data, training: { learning_rat: 1 } },
      /unknown key "training\.learning_rat" \(did you mean "learning_rate"\?\)/,
    ],
    [{ data, training: { max_steps: -1 } }, /training\.max_steps: must be above 0; got -1$/],
    [{ data, training: { max_steps: 1.5 } }, /training\.max_steps: must be a whole number; got 1\.5$/],
    [{ data, training: { learning_rate: "fast" } }, /training\.learning_rate: must be a number; got "fast"$/],
    [{ data, training: { sgd_nesterov: "yes" } }, /sgd_nesterov: must be true or false; got "yes"$/],
    [
      { data, training: { freeze: "a.*" } },
      /training\.freeze: must be a list in brackets, \[\.\.\.\]; got "a\.\*"$/,
    ],
    [{ data, training: { warmup_ratio: 2 } }, /training\.warmup_ratio: must be at most 1; got 2$/],
    [{ data, model: 5 }, /model: must be an object of keys and values; got 5$/],
    [
      { data, training: { lr_scheduler_type: "sqrt" } },
      /training\.lr_scheduler_type: must be one of inverse_sqrt, .*; got "sqrt"/,
    ],
    [
      { data: { ...data, validation_source: "c" } },
      /data\.validation_target: is needed beside the other side of the validation text/,
    ],
    [{ data, model: { dropout: 1 } }, /model\.dropout: must be below 1; got 1$/],
    [{ data, training: { optimizer: "adagrad" } }, /optimizer: must be one of .*; got "adagrad"/],
    [{ data, training: { optimizer: "adamx" } }, /got "adamx" \(did you mean "adam"\?\)$/],
    [
      { data, training: { weight_decay: 0.1 } },
      /training\.weight_decay: the optimizer adam has none; take adamw/,
    ],
    [
      { data, training: { optimizer: "sgd", sgd_momentum: 0, sgd_nesterov: true } },
      /training\.sgd_nesterov: needs a momentum/,
    ],
    [
      { data, training: { warmup_steps: 1, warmup_ratio: 0.1 } },
      /training\.warmup_ratio: takes the place of warmup_steps/,
    ],
    [
      { data, training: { lr_scheduler_type: "linear", lr_scheduler_kwargs: { power: 2 } } },
      /training\.lr_scheduler_kwargs: the schedule linear takes min_lr_ratio; got power/,
    ],
    [
      { data, training: { lr_scheduler_kwargs: { powre: 2 } } },
      /unknown key "training\.lr_scheduler_kwargs\.powre" \(did you mean "power"\?\)/,
    ],
  ])("with a mistake is refused, with its place: %j", (json, message) => {
    expect(() => parseRecipe(json, "r.json")).toThrow(message);
  });
});

test("the warm-up is a number of steps, or a part of them", () => {
  const warmupOf = (training: object) =>
    scheduleOf(parseRecipe({ data, training }, "r.json").training, 1234).warmupSteps;
  expect(warmupOf({})).toBe(124);
  expect(warmupOf({ warmup_steps: 0 })).toBe(0);
  expect(warmupOf({ warmup_ratio: 0.1 })).toBe(124);
  const said = (warmup_steps: number) =>
    endlessWarmup(parseRecipe({ data, training: { warmup_steps } }, "r.json").training, 10);
  expect(said(10)).toBeUndefined();
  expect(said(11)).toMatch(/grows over 11 steps .* has only 10: it never reaches training\.learning_rate/);
});

describe("--set", () => {
  test("takes a key alone where it is clear, or with its section; values are JSON or text", () => {
    const changed = overrideRecipe({ data }, [
      "learning_rate=0.5",
      "model.d_model=64",
      "tokenizer.lowercase=true",
      "name=mine",
      "early_stopping_patience=null",
    ]);
    const recipe = parseRecipe(changed, "r.json");
    expect(recipe.training.learning_rate).toBe(0.5);
    expect(recipe.model.d_model).toBe(64);
    expect(recipe.tokenizer.lowercase).toBe(true);
    expect(recipe.name).toBe("mine");
    expect(recipe.training.early_stopping_patience).toBeNull();
  });

  test("leaves the original as it was", () => {
    const original = { data, training: { seed: 3 } };
    overrideRecipe(original, ["seed=4"]);
    expect(original.training.seed).toBe(3);
  });

  test.each([
    ["learning_rtae=1", /unknown key "learning_rtae" \(did you mean "learning_rate"\?\)/],
    ["learning_rate", /needs key=value; got "learning_rate"/],
    ["model.learning_rate=1", /unknown key "model\.learning_rate"/],
    [
      "max_length=9",
      /"max_length" stands in several sections; write data\.max_length or generation\.max_length/,
    ],
    ["training=5", /"training" is a section; .* --set training\.KEY=VALUE/],
    ["beams=5", /unknown key "beams" \(did you mean "num_beams"\?\)/],
    [
      "lr_scheduler_kwargs.power=2",
      /unknown key "lr_scheduler_kwargs\.power"; training\.lr_scheduler_kwargs is set as a whole: --set lr_scheduler_kwargs=JSON/,
    ],
  ])("refuses %s", (assignment, message) => {
    expect(() => overrideRecipe({ data }, [assignment])).toThrow(message);
  });
});

describe("recipes of model tasks", () => {
  const base = { task: "text2text-generation", data: { train: "t.jsonl" } };

  test("sections that take keys of other files", () => {
    const json = overrideRecipe(base, [
      "generation.num_beams=4",
      "model.model_type=t5",
      "teacher.from=models/t",
    ]);
    expect(json).toMatchObject({
      generation: { num_beams: 4 },
      model: { model_type: "t5" },
      teacher: { from: "models/t" },
    });
    expect(() => overrideRecipe(base, ["generatoin.num_beams=4"])).toThrow(
      'unknown key "generatoin.num_beams"',
    );
  });

  test.each([
    [{ task: "fill-mask", generation: { num_beams: 4 } }, "generation: goes with a task whose models write"],
    [
      { task: "fill-mask", teacher: { from: "t" }, objective: { next_sentence: true } },
      "teacher: teaches hidden tokens only",
    ],
    [
      { task: "text-classification", objective: { problem_type: "regression", class_weights: "balanced" } },
      "objective.class_weights: go with",
    ],
    [
      { task: "text-classification", objective: { class_weights: [0, 1] } },
      "objective.class_weights.0: must be above 0; got 0",
    ],
    [
      { task: "text-classification", objective: { class_weights: "balancd" } },
      'objective.class_weights: must be "balanced", or a list in brackets, [...]; got "balancd"',
    ],
    [{ data: { train: 5 } }, "data.train: must be a text, or a list in brackets, [...]; got 5"],
    [{ objective: { max_source_length: {} } }, "objective.max_source_length: must be a number; got {}"],
    [
      { task: "text-classification", teacher: { from: "t", alpha_ce: 0, alpha_task: 0, alpha_cos: 0 } },
      "teacher: one of alpha_ce",
    ],
    [{ task: "fill-mask", objective: { sampling: "windows" } }, 'unknown key "objective.sampling"'],
    [{ task: "fill-msk" }, '(did you mean "fill-mask"?)'],
  ])("%j", (changes, said) => {
    expect(() => parseRecipe({ ...base, ...changes }, "recipe")).toThrow(said);
  });

  test("BLEU as the best of a translator's metrics needs sentences to translate", () => {
    const data = { train_source: "a", train_target: "b" };
    const training = { metric_for_best_model: "bleu", eval_bleu_sentences: 0 };
    expect(() => parseRecipe({ data, training }, "recipe")).toThrow("bleu needs sentences to translate");
  });
});
