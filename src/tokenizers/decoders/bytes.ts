import { bytesOfCharacters } from "../byte-level.ts";
import type { Decoder } from "./decoder.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Characters of the byte-level alphabet back to bytes, and those to text. A piece with a character outside the
 * alphabet stands for itself. Bytes that are not UTF-8 become U+FFFD.
 */
export const decodeByteLevel: Decoder = (pieces) => {
  const bytes: number[] = [];
  for (const piece of pieces) {
    const start = bytes.length;
    for (const character of piece) {
      const byte = bytesOfCharacters.get(character);
      if (byte === undefined) {
        bytes.length = start;
        for (const own of encoder.encode(piece)) bytes.push(own);
        break;
      }
      bytes.push(byte);
    }
  }
  return [decoder.decode(Uint8Array.from(bytes))];
};

const byteToken = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Runs of tokens <0x00> ... <0xFF> back to text. A run that is not UTF-8 becomes one U+FFFD for each byte.
 */
export const decodeByteFallback: Decoder = (pieces) => {
  const result: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      result.push(strictDecoder.decode(Uint8Array.from(bytes)));
    } catch {
      for (const _ of bytes) result.push("\ufffd");
    }
    bytes = [];
  };
  for (const piece of pieces) {
    const hexadecimal = byteToken.exec(piece)?.[1];
    if (hexadecimal !== undefined) bytes.push(Number.parseInt(hexadecimal, 16));
    else {
      flush();
      result.push(piece);
    }
  }
  flush();
  return result;
};
