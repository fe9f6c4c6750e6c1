import { describe, expect, test } from "vitest";
import {
  completeGenerationOptions,
  generationOptionsOfModelConfig,
  readGenerationOptions,
} from "../../../src/generation/generation-config.ts";

const read = (json: unknown, unknownKeys: "refuse" | "ignore" = "refuse") =>
  readGenerationOptions(json, { where: "options.json", unknownKeys });

describe("options under Hugging Face's names", () => {
  test("become ours; what asks for nothing and bookkeeping are left out", () => {
    const options = {
      num_beams: 4,
      length_penalty: 2,
      no_repeat_ngram_size: 3,
      bad_words_ids: [[100]],
      forced_bos_token_id: 0,
      forced_eos_token_id: 2,
      eos_token_id: [2, 3],
      top_k: 5,
      min_p: null,
      stop_strings: "end",
      num_beam_groups: 1,
      diversity_penalty: 0,
      output_scores: false,
      use_cache: true,
      pad_token_id: 1,
      bos_token_id: 0,
      transformers_version: "4.57.6",
      _from_model_config: true,
    };
    expect(read(options)).toEqual({
      numBeams: 4,
      lengthPenalty: 2,
      noRepeatNgramSize: 3,
      badWordsIds: [[100]],
      forcedBosTokenId: 0,
      forcedEosTokenId: 2,
      eosTokenId: [2, 3],
      topK: 5,
      stopStrings: ["end"],
    });
  });

  test.each<[unknown, RegExp]>([
    [
      { penalty_alpha: 0.6 },
      /options\.json: penalty_alpha is not supported; got 0\.6; leave it out or set it to 0/,
    ],
    [{ num_beam_groups: 2 }, /num_beam_groups is not supported; got 2/],
    [{ force_words_ids: [[4]] }, /force_words_ids is not supported; got \[\[4\]\]; leave it out$/],
    [{ guidance_scale: 1.5 }, /guidance_scale is not supported/],
    [{ num_beam: 4 }, /unknown option "num_beam" \(did you mean "num_beams"\?\)/],
    [{ numBeams: 4 }, /unknown option "numBeams" \(did you mean "num_beams"\?\)/],
    [{ temperature: 0 }, /options\.json: temperature must be above 0; got 0/],
    [{ top_p: "0.9" }, /topP must be above 0 and at most 1; got "0\.9"/],
    [{ bad_words_ids: [[]] }, /badWordsIds must be a list of lists of token ids, none of them empty/],
    [{ exponential_decay_length_penalty: [1] }, /must be a pair of numbers/],
    [[1], /options\.json: must be an object of options; got \[1\]/],
  ])("%j is refused", (options, message) => {
    expect(() => read(options)).toThrow(message);
  });

  test("of a model's file unknown keys do nothing, but known requests are refused", () => {
    expect(read({ chat_format: "chatml", num_beams: 2 }, "ignore")).toEqual({ numBeams: 2 });
    expect(() => read({ dola_layers: "low" }, "ignore")).toThrow(/dola_layers is not supported/);
  });

  test("of config.json only the keys that are about generation count", () => {
    const config = {
      d_model: 32,
      num_beams: 4,
      max_length: null,
      output_attentions: true,
      bad_words_ids: [[9]],
    };
    expect(read(generationOptionsOfModelConfig(config))).toEqual({ numBeams: 4, badWordsIds: [[9]] });
  });
});

describe("options of a call over those of the model's files", () => {
  test("what nobody says is as in Hugging Face", () => {
    expect(completeGenerationOptions({}, {})).toEqual({ maxNewTokens: 20 });
    expect(completeGenerationOptions({ maxLength: 20 }, {})).toEqual({ maxNewTokens: 20 });
    expect(completeGenerationOptions({ maxLength: 64 }, {})).toEqual({ maxLength: 64 });
    expect(completeGenerationOptions({ doSample: true }, {})).toEqual({
      doSample: true,
      topK: 50,
      maxNewTokens: 20,
    });
    expect(completeGenerationOptions({ doSample: true, topK: 0 }, { maxLength: 9 })).toEqual({
      doSample: true,
      topK: 0,
      maxLength: 9,
    });
  });

  test("the call's are stronger, and must have an effect", () => {
    const ofModel = { doSample: true, temperature: 0.6, numBeams: 4 };
    expect(completeGenerationOptions(ofModel, { doSample: false, numBeams: 1 })).toMatchObject({
      doSample: false,
      numBeams: 1,
    });
    expect(() => completeGenerationOptions({}, { temperature: 0.6 })).toThrow(
      /temperature acts on tokens that are drawn; got 0\.6 without doSample; set doSample to true/,
    );
    expect(() => completeGenerationOptions({}, { lengthPenalty: 2 })).toThrow(
      /lengthPenalty acts on beams; got 2 without any; set numBeams to 2 or more/,
    );
    expect(() => completeGenerationOptions({}, { numBeams: 1, earlyStopping: true })).toThrow(
      /acts on beams/,
    );
    expect(completeGenerationOptions({ numBeams: 2 }, { lengthPenalty: 2 })).toMatchObject({
      lengthPenalty: 2,
    });
  });

  test("Hugging Face's defaults, all of them spelled out, ask for nothing", () => {
    const defaults = { temperature: 1, top_k: 50, top_p: 1, length_penalty: 1, early_stopping: false };
    expect(completeGenerationOptions({}, read(defaults))).toMatchObject({ maxNewTokens: 20 });
  });
});
