import { z } from "zod";
import { QkvError } from "../util/errors.ts";
import { bartConfigKeys, bartModel, readSharedConfig } from "./bart.ts";
import type { BartConfig } from "./bart-graph.ts";
import { readConfig, tokenId } from "./config-file.ts";
import type { Family } from "./family.ts";
import { marianTokenizer } from "./new-tokenizer.ts";

const marianConfigSchema = z.object({
  ...bartConfigKeys,
  pad_token_id: tokenId,
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenId,
  decoder_start_token_id: tokenId,
  decoder_vocab_size: z.int().positive().nullish(),
  // Choices that other checkpoints of this type make and that this model does not have.
  share_encoder_decoder_embeddings: z.literal(true).default(true),
  normalize_embedding: z.literal(false).default(false),
  static_position_embeddings: z.literal(true).default(true),
});

function readMarianConfig(json: unknown, where: string): BartConfig {
  const file = readConfig(marianConfigSchema, json, where);
  if ((file.decoder_vocab_size ?? file.vocab_size) !== file.vocab_size) {
    throw new QkvError(
      "config",
      `${where}: decoder_vocab_size must be vocab_size, since both sides share their embeddings; got ${file.decoder_vocab_size} and ${file.vocab_size}`,
    );
  }
  return {
    ...readSharedConfig(file, where),
    positions: "sinusoidal",
    embeddingNorm: false,
    padTokenId: file.pad_token_id,
    bosTokenId: file.bos_token_id ?? undefined,
    eosTokenId: file.eos_token_id,
    decoderStartTokenId: file.decoder_start_token_id,
  };
}

/**
 * The translation models of "Marian: Fast Neural Machine Translation in C++" (Junczys-Dowmunt et al., 2018), as the
 * OPUS-MT project trains them: BART's network with sinusoids for positions and without a norm of the embeddings.
 */
export const marian: Family = {
  modelType: "marian",
  configKeys: Object.keys(marianConfigSchema.shape),
  newTokenizer: marianTokenizer,
  architectures: { MarianModel: "base", MarianMTModel: "sequence-to-sequence" },
  createModel: (json, head, { labelSmoothing = 0 }, where) =>
    bartModel(marian, head, readMarianConfig(json, where), { targetFromSource: false, labelSmoothing }),
};
