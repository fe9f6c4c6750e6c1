import { QkvError } from "../util/errors.ts";

/** A place in the source of an expression. */
export interface RegexReader {
  readonly source: string;
  at: number;
  /** How many atomic groups there are so far: their names must differ. */
  atomicCount: number;
  /** The character at this place, or an empty text at the end. */
  peek(): string;
  /** Takes the character at this place. */
  next(): string;
  /** What is left. */
  rest(): string;
  /** The error for something that cannot be read. */
  fault(what: string): QkvError;
}

/** A reader at the beginning of an expression; `place` names it in errors. */
export function regexReader(source: string, place: string): RegexReader {
  const reader: RegexReader = {
    source,
    at: 0,
    atomicCount: 0,
    peek: () => {
      const code = source.codePointAt(reader.at);
      return code === undefined ? "" : String.fromCodePoint(code);
    },
    next: () => {
      const character = reader.peek();
      reader.at += character.length;
      return character;
    },
    rest: () => source.slice(reader.at),
    fault: (what) =>
      new QkvError("config", `${place}: ${what}, at character ${reader.at} of the expression ${source}`),
  };
  return reader;
}

const wordClass = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

/** What the letters behind a backslash stand for, as the content of a class. */
export const classEscapes: { readonly [letter: string]: string } = {
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  h: "0-9A-Fa-f",
  H: "[^0-9A-Fa-f]",
  s: "\\p{White_Space}",
  S: "\\P{White_Space}",
  w: wordClass,
  W: `[^${wordClass}]`,
};

/** Letters behind a backslash that stand for one character. */
export const controlEscapes: { readonly [letter: string]: string } = {
  a: "\\x07",
  e: "\\x1b",
  f: "\\f",
  n: "\\n",
  r: "\\r",
  t: "\\t",
  v: "\\v",
};

/** Letters behind a backslash that stand for a place, or for more than one character. */
const placeEscapes: { readonly [letter: string]: string } = {
  A: "(?<![\\s\\S])",
  z: "(?![\\s\\S])",
  Z: "(?=\\n?(?![\\s\\S]))",
  b: `(?:(?<=[${wordClass}])(?![${wordClass}])|(?<![${wordClass}])(?=[${wordClass}]))`,
  B: `(?:(?<=[${wordClass}])(?=[${wordClass}])|(?<![${wordClass}])(?![${wordClass}]))`,
  R: "(?:\\r\\n|[\\n-\\r\\x85\\u2028\\u2029])",
};

/** The properties that POSIX names, as the content of a class. */
export const posixClasses: { readonly [name: string]: string } = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\x00-\\x7f",
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  graph: "[[^\\p{White_Space}]--[\\p{Cc}\\p{Cn}\\p{Cs}]]",
  lower: "\\p{Lowercase}",
  print: "[[^\\p{Cc}]--[\\p{Cn}\\p{Cs}]]",
  punct: "\\p{P}\\p{S}",
  space: "\\p{White_Space}",
  upper: "\\p{Uppercase}",
  word: wordClass,
  xdigit: "0-9A-Fa-f",
};

/** Reads what stands behind a backslash outside of a class. */
export function readEscape(reader: RegexReader, folds: boolean): string {
  const property = readProperty(reader);
  if (property !== undefined) return property;
  const character = readCharacterEscape(reader);
  if (character !== undefined) return folds ? expandCase(character) : escapeLiteral(character);
  reader.next();
  const letter = reader.next();
  if (letter === "") throw reader.fault("a backslash stands at the end");
  const content = classEscapes[letter];
  if (content !== undefined) return `[${content}]`;
  const replaced = controlEscapes[letter] ?? placeEscapes[letter];
  if (replaced !== undefined) return replaced;
  if (letter === "G") return "";
  if (letter === "k") return `\\k${readUntil(reader, ">")}`;
  if (/[1-9]/.test(letter)) {
    if (reader.source.includes("(?>") || /[*+?]\+/.test(reader.source)) {
      throw reader.fault("a back-reference by number beside an atomic group is not supported");
    }
    return `\\${letter}`;
  }
  if (/[A-Za-z0-9]/.test(letter)) throw reader.fault(`\\${letter} is not supported`);
  return folds ? expandCase(letter) : escapeLiteral(letter);
}

/** Reads \x41, \x{41}, \u0041, \u{41}, \cA or \0: the character; undefined where there is none of these. */
export function readCharacterEscape(reader: RegexReader): string | undefined {
  const rest = reader.rest();
  const match =
    /^\\x\{\s*([0-9A-Fa-f]+)\s*\}/.exec(rest) ??
    /^\\x([0-9A-Fa-f]{1,2})/.exec(rest) ??
    /^\\u\{\s*([0-9A-Fa-f]+)\s*\}/.exec(rest) ??
    /^\\u([0-9A-Fa-f]{4})/.exec(rest);
  if (match !== null) {
    reader.at += match[0].length;
    const code = Number.parseInt(match[1]!, 16);
    if (code > 0x10ffff) throw reader.fault(`${match[0]} is no character`);
    return String.fromCodePoint(code);
  }
  const zero = /^\\0(?![0-9])/.exec(rest);
  if (zero === null) return undefined;
  reader.at += zero[0].length;
  return "\0";
}

/** Reads \p{...} or \P{...}, with names in short or long form, of properties, categories or scripts. */
export function readProperty(reader: RegexReader): string | undefined {
  const match = /^\\([pP])(?:\{(\^?)([^}]*)\}|([A-Z]))/.exec(reader.rest());
  if (match === null) return undefined;
  const isNegated = (match[1] === "P") !== (match[2] === "^");
  const name = match[3] ?? match[4] ?? "";
  const posix = posixClasses[name.toLowerCase()];
  if (posix !== undefined && name.length > 2) {
    reader.at += match[0].length;
    return isNegated ? `[^${posix}]` : `[${posix}]`;
  }
  for (const written of [name, `Script=${name}`, `Script=${titleCase(name)}`, titleCase(name)]) {
    if (!isProperty(written)) continue;
    reader.at += match[0].length;
    return `\\${isNegated ? "P" : "p"}{${written}}`;
  }
  throw reader.fault(`the property ${match[0]} is not known`);
}

function isProperty(name: string): boolean {
  try {
    return new RegExp(`\\p{${name}}`, "v").source.length > 0;
  } catch {
    return false;
  }
}

function titleCase(name: string): string {
  return name
    .split(/[_ ]/)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1).toLowerCase())
    .join("_");
}

function readUntil(reader: RegexReader, end: string): string {
  let text = "";
  while (reader.at < reader.source.length) {
    const character = reader.next();
    text += character;
    if (character === end) return text;
  }
  throw reader.fault(`a ${end} is missing`);
}

/** A character as it is written in an expression, in or outside of a class. */
export function escapeLiteral(character: string): string {
  return /[\^$\\.*+?()[\]{}|/&\-!#%,:;<=>@`~]/.test(character) ? `\\${escapeSign(character)}` : character;
}

/** Outside of classes, the flag v lets only some signs be escaped; a code serves for all. */
function escapeSign(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character)
    ? character
    : `x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** Letters outside ASCII that fold to a letter of it. */
const foreignForms: { readonly [letter: string]: string } = { k: "\u212a", s: "\u017f" };

/** The class of a character and its other cases. */
export function expandCase(character: string): string {
  const lower = character.toLowerCase();
  const upper = character.toUpperCase();
  const forms = new Set([character, ...[lower, upper].filter((form) => [...form].length === 1)]);
  const foreign = foreignForms[lower];
  if (foreign !== undefined) forms.add(foreign);
  if (forms.size === 1) return escapeLiteral(character);
  return `[${[...forms].map(escapeLiteral).join("")}]`;
}
