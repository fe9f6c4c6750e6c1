import { QkvError } from "../util/errors.ts";
import { translateClass } from "./regex-class.ts";
import { escapeLiteral, expandCase, type RegexReader, readEscape, regexReader } from "./regex-escapes.ts";

/**
 * The JavaScript expression, with the flags g and v, for one in the syntax of Oniguruma, which Hugging Face's
 * tokenizers use: possessive and atomic groups, case folding within a group, POSIX brackets, properties and
 * scripts by their short names, `^` and `$` at every line.
 *
 * Source: the Oniguruma regular expressions' documentation, doc/RE.
 */
export function translateRegex(source: string, place: string): RegExp {
  const reader = regexReader(source, place);
  try {
    const result = translateAlternatives(reader, false);
    if (reader.at < source.length) throw reader.fault("a bracket is closed that was not opened");
    return new RegExp(result, "gv");
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    throw new QkvError("config", `${place}: cannot be read as a regular expression: ${source}`, { cause });
  }
}

/** Everything up to the end or the closing bracket of the group. */
function translateAlternatives(reader: RegexReader, foldsCase: boolean): string {
  let result = "";
  let folds = foldsCase;
  while (reader.at < reader.source.length) {
    const character = reader.peek();
    if (character === ")") break;
    if (character === "|") {
      result += reader.next();
      continue;
    }
    const flags = /^\(\?([im]*)(?:-([im]*))?\)/.exec(reader.rest());
    if (flags !== null) {
      // A switch without a group of its own holds up to the end of the group that it stands in.
      reader.at += flags[0].length;
      if (flags[1]?.includes("i")) folds = true;
      if (flags[2]?.includes("i")) folds = false;
      continue;
    }
    const atom = translateAtom(reader, folds);
    result += translateQuantifiers(reader, atom);
  }
  return result;
}

function translateAtom(reader: RegexReader, folds: boolean): string {
  const character = reader.peek();
  switch (character) {
    case "(":
      return translateGroup(reader, folds);
    case "[":
      return translateClass(reader, folds);
    case "\\":
      return readEscape(reader, folds);
    case ".":
      reader.next();
      return "[^\\n]";
    case "^":
      reader.next();
      return "(?:(?<![\\s\\S])|(?<=\\n))";
    case "$":
      reader.next();
      return "(?:(?=\\n)|(?![\\s\\S]))";
    default: {
      if (/^[*+?]/.test(character)) throw reader.fault(`nothing stands before the quantifier ${character}`);
      const literal = reader.next();
      return folds ? expandCase(literal) : escapeLiteral(literal);
    }
  }
}

const groupStarts = /^\(\?(?:([im]*)(?:-([im]*))?:|<=|<!|=|!|>|<([A-Za-z_]\w*)>|#)/;

function translateGroup(reader: RegexReader, folds: boolean): string {
  const start = groupStarts.exec(reader.rest());
  if (start === null) {
    if (reader.rest().startsWith("(?"))
      throw reader.fault(`a group ${reader.rest().slice(0, 4)}... is not supported`);
    reader.next();
    return `(${closeGroup(reader, folds)}`;
  }
  reader.at += start[0].length;
  if (start[0] === "(?#") {
    while (reader.at < reader.source.length && reader.peek() !== ")") reader.next();
    reader.next();
    return "";
  }
  if (start[0] === "(?>") return atomic(reader, closeGroup(reader, folds).slice(0, -1));
  if (start[0].endsWith(":")) {
    const foldsInside = start[1]?.includes("i") || (folds && !start[2]?.includes("i"));
    return `(?:${closeGroup(reader, foldsInside)}`;
  }
  return start[0] + closeGroup(reader, folds);
}

/** What stands in a group, with the closing bracket. */
function closeGroup(reader: RegexReader, folds: boolean): string {
  const content = translateAlternatives(reader, folds);
  if (reader.peek() !== ")") throw reader.fault("a group is not closed");
  return content + reader.next();
}

/** A group that gives nothing back once it has matched: a look-ahead gives nothing back either. */
function atomic(reader: RegexReader, content: string): string {
  const name = `atomic${reader.atomicCount++}`;
  return `(?:(?=(?<${name}>${content}))\\k<${name}>)`;
}

const quantifier = /^(?:[*+?]|\{(?:\d+(?:,\d*)?|,\d+)\})/;

/** The atom with its quantifiers, of which there may be several. */
function translateQuantifiers(reader: RegexReader, atom: string): string {
  let result = atom;
  for (let isFirst = true; ; isFirst = false) {
    const match = quantifier.exec(reader.rest());
    if (match === null || atom === "") return result;
    reader.at += match[0].length;
    const written = match[0].replace("{,", "{0,");
    if (!isFirst) result = `(?:${result})`;
    result += written;
    if (reader.peek() === "?") result += reader.next();
    // Behind braces a plus is no possessive but one more quantifier.
    else if (reader.peek() === "+" && !written.startsWith("{")) {
      reader.next();
      result = atomic(reader, result);
    }
  }
}
