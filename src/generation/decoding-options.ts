import { didYouMean, QkvError } from "../util/errors.ts";

/** How text is generated; the names are Hugging Face's. */
export interface DecodingOptions {
  /** The most tokens to generate, the end of sequence included; stronger than maxLength. Default, where neither is given: 256. */
  readonly maxNewTokens: number | undefined;
  /** The most tokens of prompt (or start token) and generated ones together. */
  readonly maxLength: number | undefined;
  /** The end does not come before this many tokens were generated. */
  readonly minNewTokens: number;
  /** The end does not come before there are this many tokens, those of the prompt (or start token) included. */
  readonly minLength: number;
  /** Generation of a sequence stops as soon as its text holds one of these. */
  readonly stopStrings: readonly string[];
  /** The token (or tokens) that end a sequence; undefined = the model's. */
  readonly eosTokenId: number | readonly number[] | undefined;
  /** The token that the decoder of an encoder-decoder starts from; undefined = the model's. */
  readonly decoderStartTokenId: number | undefined;

  /** Hypotheses kept side by side; 1 = greedy (or sampling). */
  readonly numBeams: number;
  /** Finished hypotheses are ranked by their log-probability divided by length^lengthPenalty. */
  readonly lengthPenalty: number;
  /** true: stop when numBeams hypotheses are finished; false: when no better one can be expected; "never": when none is possible. */
  readonly earlyStopping: boolean | "never";
  /** How many of the best hypotheses to return; when sampling without beams, how many to draw. */
  readonly numReturnSequences: number;

  /** Scores of tokens that occurred are divided by this (multiplied where negative); 1 = off. */
  readonly repetitionPenalty: number;
  /** No run of this many tokens occurs twice; 0 = off. */
  readonly noRepeatNgramSize: number;
  /** Runs of tokens that are not generated. */
  readonly badWordsIds: readonly (readonly number[])[];
  /** Tokens that are not generated. */
  readonly suppressTokens: readonly number[];
  /** Tokens that are not generated first. */
  readonly beginSuppressTokens: readonly number[];
  /** The first token of a target. */
  readonly forcedBosTokenId: number | undefined;
  /** The last token, where the most tokens are reached; of several the first is taken. */
  readonly forcedEosTokenId: number | readonly number[] | undefined;
  /** [start, factor]: from `start` generated tokens on, the end's score grows by |score| · (factor^(tokens beyond) - 1). */
  readonly exponentialDecayLengthPenalty: readonly [number, number] | undefined;
  /** Scores are made log-probabilities again after everything else changed them. */
  readonly renormalizeLogits: boolean;

  /** Draw each token at random by its probability instead of taking the likeliest. */
  readonly doSample: boolean;
  /** Scores are divided by this before drawing. */
  readonly temperature: number;
  /** Draw among this many likeliest tokens only; 0 = all. */
  readonly topK: number;
  /** Draw among the likeliest tokens that together have this probability; 1 = all. */
  readonly topP: number;
  /** Draw among tokens at least this many times as probable as the likeliest; 0 = all. */
  readonly minP: number;
  /** Draw among the tokens with the most expected surprise that together have this probability; 1 = all. */
  readonly typicalP: number;
  /** Draw among tokens with at least this probability; 0 = all. */
  readonly epsilonCutoff: number;
  /** The same with the bound min(eta, sqrt(eta) · exp(-entropy)); 0 = all. */
  readonly etaCutoff: number;
  /** Decides what is drawn. */
  readonly seed: number;
}

export const defaultDecoding: DecodingOptions = {
  maxNewTokens: undefined,
  maxLength: undefined,
  minNewTokens: 0,
  minLength: 0,
  stopStrings: [],
  eosTokenId: undefined,
  decoderStartTokenId: undefined,
  numBeams: 1,
  lengthPenalty: 1,
  earlyStopping: false,
  numReturnSequences: 1,
  repetitionPenalty: 1,
  noRepeatNgramSize: 0,
  badWordsIds: [],
  suppressTokens: [],
  beginSuppressTokens: [],
  forcedBosTokenId: undefined,
  forcedEosTokenId: undefined,
  exponentialDecayLengthPenalty: undefined,
  renormalizeLogits: false,
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  epsilonCutoff: 0,
  etaCutoff: 0,
  seed: 0,
};

/** Options that act only beside another one, each with the values that ask for nothing. */
const dependentOptions: readonly {
  readonly acts: (all: Partial<DecodingOptions>) => boolean;
  readonly rule: string;
  readonly without: string;
  readonly wayOut: string;
  readonly neutral: { readonly [Name in keyof DecodingOptions]?: readonly unknown[] };
}[] = [
  {
    acts: ({ doSample }) => doSample === true,
    rule: "acts on tokens that are drawn",
    without: "doSample",
    wayOut: "set doSample to true",
    neutral: {
      temperature: [1],
      // 50 is what Hugging Face's files have where nobody decided.
      topK: [0, 50],
      topP: [1],
      minP: [0],
      typicalP: [1],
      epsilonCutoff: [0],
      etaCutoff: [0],
    },
  },
  {
    acts: ({ numBeams = 1 }) => numBeams > 1,
    rule: "acts on beams",
    without: "any",
    wayOut: "set numBeams to 2 or more",
    neutral: { lengthPenalty: [1], earlyStopping: [false] },
  },
];

const defaultMaxNewTokens = 256;

interface Rule {
  /** What a value must be. */
  readonly rule: string;
  readonly holds: (value: unknown) => boolean;
}

const number =
  (holds: (value: number) => boolean) =>
  (value: unknown): boolean =>
    typeof value === "number" && Number.isFinite(value) && holds(value);
const whole = (least: number) => number((value) => Number.isInteger(value) && value >= least);
const listOf =
  (holds: (value: unknown) => boolean, least = 0) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length >= least && value.every(holds);
const optional = ({ rule, holds }: Rule): Rule => ({
  rule,
  holds: (value) => value === undefined || holds(value),
});

const count: Rule = { rule: "a whole number, 1 or more", holds: whole(1) };
const countOrNone: Rule = { rule: "a whole number, 0 or more", holds: whole(0) };
const token: Rule = { rule: "a token id (a whole number, 0 or more)", holds: whole(0) };
const tokens: Rule = { rule: "a list of token ids", holds: listOf(token.holds) };
const tokenOrTokens: Rule = {
  rule: "a token id or a list of them",
  holds: (value) => token.holds(value) || listOf(token.holds, 1)(value),
};
const truth: Rule = { rule: "true or false", holds: (value) => typeof value === "boolean" };
const positive: Rule = { rule: "above 0", holds: number((value) => value > 0) };
const share: Rule = { rule: "above 0 and at most 1", holds: number((value) => value > 0 && value <= 1) };
const shareOrNone: Rule = { rule: "from 0 to 1", holds: number((value) => value >= 0 && value <= 1) };
const cutoff: Rule = { rule: "from 0 to below 1", holds: number((value) => value >= 0 && value < 1) };

const rules: { readonly [Name in keyof DecodingOptions]: Rule } = {
  maxNewTokens: optional(count),
  maxLength: optional(count),
  minNewTokens: countOrNone,
  minLength: countOrNone,
  stopStrings: {
    rule: "a list of texts that are not empty",
    holds: listOf((value) => typeof value === "string" && value !== ""),
  },
  eosTokenId: optional(tokenOrTokens),
  decoderStartTokenId: optional(token),
  numBeams: count,
  lengthPenalty: { rule: "a number", holds: number(() => true) },
  earlyStopping: {
    rule: 'true, false or "never"',
    holds: (value) => typeof value === "boolean" || value === "never",
  },
  numReturnSequences: count,
  repetitionPenalty: positive,
  noRepeatNgramSize: countOrNone,
  badWordsIds: {
    rule: "a list of lists of token ids, none of them empty",
    holds: listOf(listOf(token.holds, 1)),
  },
  suppressTokens: tokens,
  beginSuppressTokens: tokens,
  forcedBosTokenId: optional(token),
  forcedEosTokenId: optional(tokenOrTokens),
  exponentialDecayLengthPenalty: optional({
    rule: "a pair of numbers, [start, factor]",
    holds: (value) => listOf(number(() => true))(value) && (value as unknown[]).length === 2,
  }),
  renormalizeLogits: truth,
  doSample: truth,
  temperature: positive,
  topK: countOrNone,
  topP: share,
  minP: shareOrNone,
  typicalP: share,
  epsilonCutoff: cutoff,
  etaCutoff: cutoff,
  seed: countOrNone,
};

/** The names of all options. */
export const decodingOptionNames = Object.keys(rules) as readonly (keyof DecodingOptions)[];

/**
 * Fills in the defaults and checks every value.
 * @throws QkvError "option" for unknown names, values out of range, and options that contradict each other
 */
export function checkDecodingOptions(options: Partial<DecodingOptions>): DecodingOptions {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(rules, name)) {
      throw new QkvError(
        "option",
        `generation: unknown option "${name}"${didYouMean(name, decodingOptionNames)}`,
      );
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const checked: DecodingOptions = { ...defaultDecoding, ...given };
  for (const name of decodingOptionNames) {
    const { rule, holds } = rules[name];
    if (!holds(checked[name])) {
      throw new QkvError(
        "option",
        `generation: ${name} must be ${rule}; got ${JSON.stringify(checked[name]) ?? String(checked[name])}`,
      );
    }
  }
  const { doSample, numBeams, numReturnSequences } = checked;
  if (numReturnSequences > numBeams && (numBeams > 1 || !doSample)) {
    throw new QkvError(
      "option",
      `generation: numReturnSequences can be at most numBeams; got ${numReturnSequences} and ${numBeams}`,
    );
  }
  return checked;
}

/**
 * Checks that the tokens that may be generated because of the options are the model's. An end token need not be one;
 * it then never comes.
 * @throws QkvError "option"
 */
export function checkTokenIds(options: DecodingOptions, vocabSize: number): void {
  for (const name of [
    "forcedBosTokenId",
    "forcedEosTokenId",
    "decoderStartTokenId",
    "badWordsIds",
  ] as const) {
    const wrong = [options[name] ?? []].flat(2).find((id) => id >= vocabSize);
    if (wrong !== undefined) {
      throw new QkvError("option", `generation: ${name} must be from 0 to ${vocabSize - 1}; got ${wrong}`);
    }
  }
}

/**
 * Refuses rows that hold what is no token: the engine would take a negative number for a token counted from the end.
 * @param what - what a row is, such as "prompt"
 * @throws QkvError "data"
 */
export function checkRows(what: string, rows: readonly (readonly number[])[], vocabSize: number): void {
  rows.forEach((row, index) => {
    const wrong = row.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (wrong === undefined) return;
    throw new QkvError(
      "data",
      `generation: tokens must be whole numbers from 0 to ${vocabSize - 1}; got ${wrong} (${what} ${index + 1})`,
    );
  });
}

/**
 * Refuses options that would have no effect, so that nobody believes they had one.
 * @param given - what a person asked for, @param all - the same over everything else that is set
 * @throws QkvError "option"
 */
export function refuseIdleOptions(given: Partial<DecodingOptions>, all: Partial<DecodingOptions>): void {
  for (const { acts, rule, without, wayOut, neutral } of dependentOptions) {
    if (acts(all)) continue;
    for (const [name, values] of Object.entries(neutral)) {
      const value = given[name as keyof DecodingOptions];
      if (value === undefined || values.includes(value)) continue;
      throw new QkvError("option", `generation: ${name} ${rule}; got ${value} without ${without}; ${wayOut}`);
    }
  }
}

/**
 * How many tokens may be generated after a prompt.
 * @param promptLength - tokens of the prompt or, to an encoder-decoder, of what its decoder starts from
 * @param room - how many more the model's positions allow
 */
export function newTokenLimit(
  { maxNewTokens, maxLength }: DecodingOptions,
  promptLength: number,
  room: number,
): number {
  const wanted = maxNewTokens ?? (maxLength === undefined ? defaultMaxNewTokens : maxLength - promptLength);
  if (wanted < 1) {
    throw new QkvError(
      "option",
      `generation: maxLength counts the prompt too; got ${maxLength} for a prompt of ${promptLength} tokens; give a larger one, or maxNewTokens`,
    );
  }
  return Math.min(wanted, room);
}
