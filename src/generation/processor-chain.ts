import type { DecodingOptions } from "./decoding-options.ts";
import {
  epsilonCutoff,
  etaCutoff,
  exponentialDecayLengthPenalty,
  type LogitsProcessor,
  minLength,
  minNewTokens,
  minP,
  noBadWords,
  noRepeatNgram,
  normalizeScores,
  repetitionPenalty,
  suppressTokens,
  suppressTokensAt,
  temperature,
  topK,
  topP,
  typicalP,
} from "./logits-processors.ts";

/** Everything that changes the scores of one sequence's next token, in order. */
export interface ProcessorChain {
  readonly processors: readonly LogitsProcessor[];
  /** The token that must come next, if any; it overrides the processors. */
  readonly forced: (ids: readonly number[]) => number | undefined;
}

/** What a chain depends on besides the options. */
export interface ChainPlace {
  /** Tokens of the prompt, or of what the decoder starts from. */
  readonly promptLength: number;
  /** How many tokens may be generated. */
  readonly maxNewTokens: number;
  readonly endIds: readonly number[];
}

/** The processors that the options ask for, in the order of Hugging Face transformers. */
export function processorChain(
  options: DecodingOptions,
  { promptLength, maxNewTokens, endIds }: ChainPlace,
): ProcessorChain {
  const beginning = promptLength > 1 || options.forcedBosTokenId === undefined;
  const chain: (LogitsProcessor | false)[] = [
    options.repetitionPenalty !== 1 && repetitionPenalty(options.repetitionPenalty),
    options.noRepeatNgramSize > 0 && noRepeatNgram(options.noRepeatNgramSize),
    options.badWordsIds.length > 0 && noBadWords(options.badWordsIds, endIds),
    options.minLength > 0 && minLength(options.minLength, endIds),
    options.minNewTokens > 0 && minNewTokens(options.minNewTokens, promptLength, endIds),
    options.exponentialDecayLengthPenalty !== undefined &&
      exponentialDecayLengthPenalty(options.exponentialDecayLengthPenalty, promptLength, endIds),
    options.suppressTokens.length > 0 && suppressTokens(options.suppressTokens),
    options.beginSuppressTokens.length > 0 &&
      suppressTokensAt(options.beginSuppressTokens, beginning ? promptLength : promptLength + 1),
    ...(options.doSample ? samplingProcessors(options, endIds) : []),
    options.renormalizeLogits && normalizeScores,
  ];
  const lastId = [options.forcedEosTokenId ?? []].flat()[0];
  return {
    processors: chain.filter((processor) => processor !== false),
    forced: (ids) => {
      if (ids.length === promptLength + maxNewTokens - 1 && lastId !== undefined) return lastId;
      return ids.length === 1 ? options.forcedBosTokenId : undefined;
    },
  };
}

function samplingProcessors(options: DecodingOptions, endIds: readonly number[]) {
  // Beams go on only with tokens that do not end: at least one such must be left.
  const kept = options.numBeams > 1 ? Math.max(1, endIds.length) + 1 : 1;
  return [
    options.temperature !== 1 && temperature(options.temperature),
    options.topK > 0 && topK(options.topK, kept),
    options.topP < 1 && topP(options.topP, kept),
    options.minP > 0 && minP(options.minP, kept),
    options.typicalP < 1 && typicalP(options.typicalP, kept),
    options.epsilonCutoff > 0 && epsilonCutoff(options.epsilonCutoff, kept),
    options.etaCutoff > 0 && etaCutoff(options.etaCutoff, kept),
  ];
}

/** More than this many candidates are not picked inside the graph; all scores come out instead. */
const mostCandidates = 256;

/**
 * How many of the likeliest tokens of each hypothesis decide what comes next, whatever the rows are; 0 = only the
 * scores of the whole vocabulary do.
 */
export function candidateCount(
  options: DecodingOptions,
  endIds: readonly number[],
  vocabSize: number,
): number {
  const { doSample, numBeams } = options;
  const wholeRow =
    options.repetitionPenalty !== 1 ||
    options.noRepeatNgramSize > 0 ||
    options.exponentialDecayLengthPenalty !== undefined ||
    options.renormalizeLogits ||
    (doSample && options.topK === 0);
  if (wholeRow) return 0;
  // Whatever is forbidden may be among the likeliest, so that as many more must be looked at.
  const forbidden =
    options.badWordsIds.length +
    options.suppressTokens.length +
    options.beginSuppressTokens.length +
    (options.minLength > 0 || options.minNewTokens > 0 ? endIds.length : 0);
  const kept = doSample ? Math.max(options.topK, Math.max(1, endIds.length) + 1) : 1;
  const wanted = Math.max(kept, numBeams > 1 ? beamsToKeep(numBeams, endIds.length) : 1) + forbidden;
  return wanted > mostCandidates && wanted < vocabSize ? 0 : Math.min(wanted, vocabSize);
}

/** How many continuations a beam search looks at, so that numBeams that do not end are always among them. */
export function beamsToKeep(numBeams: number, endCount: number): number {
  return Math.max(2, 1 + endCount) * numBeams;
}
