import { didYouMean, QkvError } from "../util/errors.ts";

/** How text is generated; the names are Hugging Face's. */
export interface DecodingOptions {
  /** The most tokens to generate, the end of sequence included. */
  readonly maxNewTokens: number;
  /** Hypotheses kept side by side; 1 = greedy (or sampling). */
  readonly numBeams: number;
  /** Finished hypotheses are ranked by their log-probability divided by length^lengthPenalty. */
  readonly lengthPenalty: number;
  /** true: stop when numBeams hypotheses are finished; false: when no better one can be expected; "never": when none is possible. */
  readonly earlyStopping: boolean | "never";
  /** How many of the best hypotheses to return. */
  readonly numReturnSequences: number;
  /** Draw each token at random by its probability instead of taking the likeliest. */
  readonly doSample: boolean;
  /** Scores are divided by this before drawing. */
  readonly temperature: number;
  /** Draw among this many likeliest tokens only; 0 = all. */
  readonly topK: number;
  /** Draw among the likeliest tokens that together have this probability; 1 = all. */
  readonly topP: number;
  /** Decides what is drawn. */
  readonly seed: number;
}

export const defaultDecoding: DecodingOptions = {
  maxNewTokens: 256,
  numBeams: 1,
  lengthPenalty: 1,
  earlyStopping: false,
  numReturnSequences: 1,
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  seed: 0,
};

/**
 * Fills in the defaults and checks every value.
 * @throws QkvError "option" for unknown names and values out of range
 */
export function checkDecodingOptions(options: Partial<DecodingOptions>): DecodingOptions {
  for (const name of Object.keys(options)) {
    if (!(name in defaultDecoding)) {
      throw new QkvError(
        "option",
        `generation: unknown option "${name}"${didYouMean(name, Object.keys(defaultDecoding))}`,
      );
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const checked: DecodingOptions = { ...defaultDecoding, ...given };
  const demand = (holds: boolean, name: keyof DecodingOptions, rule: string) => {
    if (!holds) throw new QkvError("option", `generation: ${name} must be ${rule}; got ${checked[name]}`);
  };
  const isCount = (value: number) => Number.isInteger(value) && value >= 1;
  demand(isCount(checked.maxNewTokens), "maxNewTokens", "a whole number, 1 or more");
  demand(isCount(checked.numBeams), "numBeams", "a whole number, 1 or more");
  demand(Number.isFinite(checked.lengthPenalty), "lengthPenalty", "a number");
  demand([true, false, "never"].includes(checked.earlyStopping), "earlyStopping", 'true, false or "never"');
  demand(isCount(checked.numReturnSequences), "numReturnSequences", "a whole number, 1 or more");
  demand(checked.temperature > 0 && Number.isFinite(checked.temperature), "temperature", "above 0");
  demand(Number.isInteger(checked.topK) && checked.topK >= 0, "topK", "a whole number, 0 or more");
  demand(checked.topP > 0 && checked.topP <= 1, "topP", "above 0 and at most 1");
  demand(Number.isInteger(checked.seed) && checked.seed >= 0, "seed", "a whole number, 0 or more");
  if (checked.doSample && checked.numBeams > 1) {
    throw new QkvError(
      "option",
      `generation: doSample draws one hypothesis at a time; got numBeams ${checked.numBeams}; use 1`,
    );
  }
  if (!checked.doSample && checked.numReturnSequences > checked.numBeams) {
    throw new QkvError(
      "option",
      `generation: numReturnSequences can be at most numBeams; got ${checked.numReturnSequences} and ${checked.numBeams}`,
    );
  }
  return checked;
}
