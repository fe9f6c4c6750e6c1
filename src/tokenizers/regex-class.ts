import {
  classEscapes,
  controlEscapes,
  escapeLiteral,
  expandCase,
  posixClasses,
  type RegexReader,
  readCharacterEscape,
  readProperty,
} from "./regex-escapes.ts";

/**
 * A class in square brackets, with classes and POSIX brackets in it and intersections by `&&`. The content of
 * each side of an intersection becomes a class of its own, as JavaScript wants it.
 */
export function translateClass(reader: RegexReader, folds: boolean): string {
  reader.next();
  const isNegated = reader.peek() === "^";
  if (isNegated) reader.next();
  const sides: string[] = [];
  let content = "";
  // A bracket that closes right at the beginning is one of the characters.
  if (reader.peek() === "]") content += escapeLiteral(reader.next());
  for (;;) {
    if (reader.at >= reader.source.length) throw reader.fault("a class is not closed");
    if (reader.peek() === "]") {
      reader.next();
      sides.push(content);
      const inside = sides.length === 1 ? content : sides.map((side) => `[${side}]`).join("&&");
      return `[${isNegated ? "^" : ""}${inside}]`;
    }
    if (reader.rest().startsWith("&&")) {
      reader.at += 2;
      sides.push(content);
      content = "";
    } else content += translateMember(reader, folds);
  }
}

/** One member: a class, a property, a character or a range of characters. */
function translateMember(reader: RegexReader, folds: boolean): string {
  const posix = /^\[:(\^?)([a-z]+):\]/.exec(reader.rest());
  if (posix !== null) {
    const content = posixClasses[posix[2]!];
    if (content === undefined) throw reader.fault(`the class ${posix[0]} is not known`);
    reader.at += posix[0].length;
    return posix[1] === "^" ? `[^${content}]` : content;
  }
  if (reader.peek() === "[") return translateClass(reader, folds);
  const property = readProperty(reader);
  if (property !== undefined) return property;
  const set = classEscapes[/^\\([dDhHsSwW])/.exec(reader.rest())?.[1] ?? ""];
  if (set !== undefined) {
    reader.at += 2;
    return set;
  }
  const first = readMemberCharacter(reader);
  const range = /^-(?!\]|&&|\[|\\[dDhHsSwWpP])/.exec(reader.rest());
  if (range === null) return folds ? foldedCharacter(first) : escapeLiteral(first);
  reader.at++;
  const last = readMemberCharacter(reader);
  if (first.codePointAt(0)! > last.codePointAt(0)!) throw reader.fault(`the range ${first}-${last} is empty`);
  return foldedRange(first, last, folds);
}

function readMemberCharacter(reader: RegexReader): string {
  const escaped = readCharacterEscape(reader);
  if (escaped !== undefined) return escaped;
  const character = reader.next();
  if (character !== "\\") return character;
  const letter = reader.next();
  if (letter === "") throw reader.fault("a backslash stands at the end");
  if (letter === "b") return "\b";
  const control = controlEscapes[letter];
  if (control !== undefined) return controlCharacters[letter]!;
  if (/[A-Za-z0-9]/.test(letter)) throw reader.fault(`\\${letter} in a class is not supported`);
  return letter;
}

const controlCharacters: { readonly [letter: string]: string } = {
  a: "\x07",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function foldedCharacter(character: string): string {
  return expandCase(character).replace(/^\[(.*)\]$/su, "$1");
}

/** A range; where case is folded, with the other cases of the letters of ASCII in it. */
function foldedRange(first: string, last: string, folds: boolean): string {
  let result = `${escapeLiteral(first)}-${escapeLiteral(last)}`;
  if (!folds) return result;
  for (let code = first.codePointAt(0)!; code <= Math.min(last.codePointAt(0)!, 0x7f); code++) {
    const character = String.fromCodePoint(code);
    if (/[A-Za-z]/.test(character)) result += foldedCharacter(character);
  }
  return result;
}
