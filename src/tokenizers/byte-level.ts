/**
 * The alphabet of byte-level tokenizers: a printable character for each of the 256 bytes.
 * Bytes that Latin-1 prints stand for themselves; the others, in order, are U+0100, U+0101 ...
 *
 * Source: openai/gpt-2, encoder.py, bytes_to_unicode.
 */
export const byteCharacters: readonly string[] = makeByteCharacters();

/** The byte that a character of `byteCharacters` stands for. */
export const bytesOfCharacters: ReadonlyMap<string, number> = new Map(
  byteCharacters.map((character, byte) => [character, byte]),
);

const encoder = new TextEncoder();

/** A text's UTF-8 bytes, each as its character of `byteCharacters`. */
export function toByteCharacters(text: string): string {
  let result = "";
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x80) return result + encodeBytes(text.slice(index));
    result += byteCharacters[code];
  }
  return result;
}

function encodeBytes(text: string): string {
  let result = "";
  for (const byte of encoder.encode(text)) result += byteCharacters[byte];
  return result;
}

function makeByteCharacters(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}
