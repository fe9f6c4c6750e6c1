import { type JsonObject, readBoolean, readChoice, readObject } from "./json.ts";

/** What a model folder says of its tokenizer beside the stages. */
export interface TokenizerSettings {
  /** The side at which padding stands. */
  readonly paddingSide: "left" | "right";
  /** The side at which tokens are cut off. */
  readonly truncationSide: "left" | "right";
  /** The token that padding consists of, if one is named. */
  readonly padToken: string | undefined;
  /** The most tokens that the model reads, if the files say so. */
  readonly maxLength: number | undefined;
  /** Whether decoding takes spaces before punctuation away. */
  readonly cleanUpTokenizationSpaces: boolean;
}

const sides = ["left", "right"] as const;

/** Families whose class pads on the left where its file is silent. */
const padsLeft = /^(?:Llama|CodeLlama|Gemma|XLNet|Cpm)Tokenizer/;

/**
 * The settings of a `tokenizer_config.json`; where it is silent, those of the `tokenizer.json`'s padding
 * and of the tokenizer's class.
 * A `model_max_length` of a million and more means that there is no limit.
 */
export function readSettings(json: JsonObject, config: JsonObject): TokenizerSettings {
  const place = "tokenizer_config.json";
  const padding = json.padding ? readObject(json.padding, "padding") : {};
  const filePad = typeof padding.pad_token === "string" ? padding.pad_token : undefined;
  const className = typeof config.tokenizer_class === "string" ? config.tokenizer_class : "";
  const fileSide = padding.direction === "Left" || padsLeft.test(className) ? "left" : "right";
  const limit = config.model_max_length;
  return {
    paddingSide: readChoice(config, "padding_side", place, sides, fileSide),
    truncationSide: readChoice(config, "truncation_side", place, sides, "right"),
    padToken: readTokenName(config.pad_token) ?? filePad,
    maxLength: typeof limit === "number" && limit > 0 && limit < 1e6 ? limit : undefined,
    cleanUpTokenizationSpaces: readBoolean(config, "clean_up_tokenization_spaces", place, false),
  };
}

/** A special token's name is written as a text, or as an object with its content. */
function readTokenName(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return undefined;
  const { content } = value as JsonObject;
  return typeof content === "string" ? content : undefined;
}
