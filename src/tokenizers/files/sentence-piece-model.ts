import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { QkvError } from "../../util/errors.ts";

/** What a piece is for. */
export type PieceKind = "normal" | "unknown" | "control" | "userDefined" | "unused" | "byte";

/** One piece of a SentencePiece model; its id is its place in the list. */
export interface SentencePiece {
  readonly piece: string;
  readonly score: number;
  readonly kind: PieceKind;
}

/** A SentencePiece model as its file holds it. */
export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  readonly algorithm: "unigram" | "bpe";
  /** The compiled normalization rules; empty where the text is taken as it is. */
  readonly replacements: Uint8Array;
  readonly addsPrefix: boolean;
  readonly removesExtraSpaces: boolean;
  readonly fallsBackToBytes: boolean;
}

const pieceKinds: { readonly [code: number]: PieceKind } = {
  1: "normal",
  2: "unknown",
  3: "control",
  4: "userDefined",
  5: "unused",
  6: "byte",
};

/**
 * Reads a SentencePiece `.model` or `.spm` file.
 * @param place - the file's name, for errors
 * @throws QkvError where the file is damaged or holds a model that is neither unigram nor byte-pair encoding
 *
 * Source: google/sentencepiece, sentencepiece_model.proto.
 */
export function readSentencePieceModel(bytes: Uint8Array, place: string): SentencePieceModel {
  try {
    return readModel(bytes, place);
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    throw new QkvError("file", `${place}: is no SentencePiece model or damaged; fetch the file again`, {
      cause,
    });
  }
}

type Field = number | string | Uint8Array;

function readModel(bytes: Uint8Array, place: string): SentencePieceModel {
  const pieces: SentencePiece[] = [];
  let training = new Map<number, Field>();
  let normalizing = new Map<number, Field>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) pieces.push(readPiece(reader.bytes(), place));
    else if (field === 2 && type === WireType.LengthDelimited) training = readFields(reader.bytes());
    else if (field === 3 && type === WireType.LengthDelimited) normalizing = readFields(reader.bytes());
    else reader.skip(type, field);
  }
  if (pieces.length === 0) throw new QkvError("file", `${place}: holds no pieces; fetch the file again`);
  const algorithms: { readonly [code: number]: "unigram" | "bpe" } = { 1: "unigram", 2: "bpe" };
  const code = Number(training.get(3) ?? 1);
  const algorithm = algorithms[code];
  if (algorithm === undefined) {
    throw new QkvError(
      "file",
      `${place}: the model type must be unigram (1) or byte-pair encoding (2); got ${code}, which is not supported`,
    );
  }
  if (Number(training.get(24) ?? 0) !== 0) {
    throw new QkvError("file", `${place}: a mark behind words instead of before them is not supported`);
  }
  const replacements = normalizing.get(2);
  return {
    pieces,
    algorithm,
    replacements: replacements instanceof Uint8Array ? replacements : new Uint8Array(0),
    addsPrefix: Number(normalizing.get(3) ?? 1) !== 0,
    removesExtraSpaces: Number(normalizing.get(4) ?? 1) !== 0,
    fallsBackToBytes: Number(training.get(35) ?? 0) !== 0,
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readPiece(bytes: Uint8Array, place: string): SentencePiece {
  const fields = readFields(bytes);
  const text = fields.get(1);
  const code = Number(fields.get(3) ?? 1);
  const kind = pieceKinds[code];
  if (!(text instanceof Uint8Array) || kind === undefined) {
    throw new QkvError(
      "file",
      `${place}: is damaged: a piece has no text or a kind that is not known (${code})`,
    );
  }
  return { piece: decoder.decode(text), score: Number(fields.get(2) ?? 0), kind };
}

/** The fields of a message by number; of several with one number the last. */
function readFields(bytes: Uint8Array): Map<number, Field> {
  const fields = new Map<number, Field>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) fields.set(field, Number(reader.int64()));
    else if (type === WireType.Bit32) fields.set(field, reader.float());
    else if (type === WireType.LengthDelimited) fields.set(field, reader.bytes());
    else reader.skip(type, field);
  }
  return fields;
}
