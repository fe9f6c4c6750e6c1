/**
 * Tags of the IOB1 scheme in the IOB2 scheme. In IOB1 an entity begins with I-TYPE, and with B-TYPE only where an
 * entity of the same type stands directly before it; in IOB2 every entity begins with B-TYPE. Tags that are IOB2
 * already stay as they are.
 * Source: Ratnaparkhi 1998; Tjong Kim Sang and Veenstra 1999, "Representing Text Chunks", section 2.1.
 * @returns undefined where a tag is none of O, I-TYPE and B-TYPE
 */
export function iob2FromIob1(tags: readonly string[]): readonly string[] | undefined {
  const converted: string[] = [];
  let previous = "O";
  for (const tag of tags) {
    if (tag !== "O" && !/^[IB]-./.test(tag)) return undefined;
    const goesOn = tag.startsWith("I-") && previous.slice(2) === tag.slice(2);
    converted.push(tag === "O" || goesOn ? tag : `B-${tag.slice(2)}`);
    previous = tag;
  }
  return converted;
}
