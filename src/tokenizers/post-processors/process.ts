import { appendEncoding, type Encoding, emptyEncoding, pushToken, sliceEncoding } from "../encoding.ts";
import { type PostProcessorStep, plainTemplate, type Template } from "./post-processor.ts";

/**
 * Runs a post-processor over the tokens of one text or two; gives one encoding.
 * What truncation cut off is processed too: each part of a text's overflow with the other text, and with the
 * parts of the other's.
 */
export function postProcess(
  steps: readonly PostProcessorStep[],
  first: Encoding,
  second: Encoding | undefined,
  addSpecialTokens: boolean,
): Encoding {
  for (const step of steps) {
    if (step.kind !== "trim") continue;
    for (const encoding of second === undefined ? [first] : [first, second]) {
      trimOffsets(encoding, step.addPrefixSpace);
      for (const part of encoding.overflowing) trimOffsets(part, step.addPrefixSpace);
    }
  }
  const result = applyTemplates(steps, first, second, addSpecialTokens);
  const seconds = second === undefined ? [undefined] : [second, ...second.overflowing];
  for (const part of first.overflowing) {
    for (const other of seconds)
      result.overflowing.push(applyTemplates(steps, part, other, addSpecialTokens));
  }
  for (const other of second?.overflowing ?? []) {
    result.overflowing.push(applyTemplates(steps, first, other, addSpecialTokens));
  }
  return result;
}

/** The ids of one text or two with the special tokens around, without anything else. */
export function postProcessIds(
  steps: readonly PostProcessorStep[],
  first: number[],
  second?: number[],
): number[] {
  let parts: number[][] = second === undefined ? [first] : [first, second];
  for (const step of steps) {
    if (step.kind !== "template") continue;
    const pieces = parts.length > 1 ? step.template.pair : step.template.single;
    parts = pieces.map((piece) => (piece.kind === "special" ? [...piece.ids] : (parts[piece.index] ?? [])));
  }
  return parts.length === 1 ? parts[0]! : parts.flat();
}

/** The tokens of a text with the special tokens of all templates around. */
function applyTemplates(
  steps: readonly PostProcessorStep[],
  first: Encoding,
  second: Encoding | undefined,
  addSpecialTokens: boolean,
): Encoding {
  let parts = second === undefined ? [first] : [first, second];
  let isPlain = true;
  for (const step of steps) {
    if (step.kind !== "template" || !(addSpecialTokens || step.typesAlways)) continue;
    isPlain = false;
    parts = applyTemplate(step.template, parts, addSpecialTokens);
  }
  if (isPlain) parts = applyTemplate(plainTemplate, parts, addSpecialTokens);
  const result = emptyEncoding();
  for (const part of parts) appendEncoding(result, part);
  return result;
}

function applyTemplate(
  template: Template,
  parts: readonly Encoding[],
  addSpecialTokens: boolean,
): Encoding[] {
  const result: Encoding[] = [];
  for (const piece of parts.length > 1 ? template.pair : template.single) {
    if (piece.kind === "sequence") {
      const part = parts[piece.index];
      if (part === undefined) continue;
      const typed = sliceEncoding(part, 0, part.ids.length);
      typed.typeIds.fill(piece.typeId);
      result.push(typed);
    } else if (addSpecialTokens) {
      const special = emptyEncoding();
      piece.ids.forEach((id, index) => {
        pushToken(special, { id, token: piece.tokens[index] ?? "", typeId: piece.typeId, special: true });
      });
      result.push(special);
    }
  }
  return result;
}

const spacesAtStart = /^[\p{White_Space}Ġ]+/u;
const spacesAtEnd = /[\p{White_Space}Ġ]+$/u;

/** Takes white space out of the offsets of byte-level tokens. */
function trimOffsets(encoding: Encoding, addPrefixSpace: boolean): void {
  encoding.offsets = encoding.offsets.map(([start, end], index) => {
    const token = encoding.tokens[index]!;
    let leading = spacesAtStart.exec(token)?.[0].length ?? 0;
    const trailing = spacesAtEnd.exec(token)?.[0].length ?? 0;
    // A single space in front of the text was put there by the pre-tokenizer and has no place in the text.
    if (addPrefixSpace && leading === 1 && (index === 0 || start === 0)) leading = 0;
    const from = Math.min(start + leading, end);
    const to = trailing > 0 && end >= trailing ? Math.max(end - trailing, from) : end;
    return [from, to];
  });
}
