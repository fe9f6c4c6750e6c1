import { QkvError } from "../util/errors.ts";
import { requireBoolean, requireKnownOptions, requireOneOf } from "./options.ts";

/** The tagging schemes that entities can be read by strictly. */
export const tagSchemes = ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"] as const;

/** One of `tagSchemes`. */
export type TagScheme = (typeof tagSchemes)[number];

/** How tags become entities. */
export interface EntityOptions {
  /**
   * The scheme that the tags keep to; what is not well-formed in it is no entity, and other prefixes are an
   * error. Without one they are read leniently, as the CoNLL evaluation script does: `B I E S` in any order,
   * where a change of type begins a new entity.
   */
  readonly scheme?: TagScheme | undefined;
  /** Whether the prefix comes last, as in `PER-B`. Default false. */
  readonly suffix?: boolean | undefined;
}

/** Words `start` to before `end` of a sentence. */
export interface Entity {
  /** `_` where the tags are a bare prefix. */
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The entities of one sentence. Equal to seqeval.
 *
 * @param tags - one for each word: `O`, or a prefix and a type such as `B-PER`
 * @param where - the sentence, for errors
 * @throws QkvError "data" for a tag that the scheme does not have
 *
 * Source: seqeval 1.2.2, https://github.com/chakki-works/seqeval/tree/v1.2.2
 */
export function extractEntities(
  tags: readonly string[],
  options: EntityOptions = {},
  where = "extractEntities",
): Entity[] {
  requireKnownOptions(where, options, ["scheme", "suffix"]);
  const suffix = requireBoolean(where, "suffix", options.suffix ?? false);
  if (options.scheme === undefined) {
    const read = (tag: string) => ({ prefix: prefixOf(tag, suffix), type: lenientType(tag, suffix) });
    return extractLeniently(readTags(tags, "BIESO", read, where));
  }
  const scheme = schemes[requireOneOf(where, "scheme", options.scheme, tagSchemes)];
  const read = (tag: string) => ({ prefix: prefixOf(tag, suffix), type: strictType(tag, suffix) });
  return extractStrictly(readTags(tags, scheme.prefixes, read, where), scheme);
}

interface Tag {
  readonly prefix: string;
  readonly type: string;
}

const outside: Tag = { prefix: "O", type: "_" };

/** The tags, with `O` behind them, so that whatever is open at the end ends there. */
function readTags(
  tags: readonly string[],
  prefixes: string,
  read: (tag: string) => Tag,
  where: string,
): Tag[] {
  const result = tags.map((tag, index) => {
    const parts = read(tag);
    if (parts.prefix !== "" && prefixes.includes(parts.prefix)) return parts;
    const rule = `${where}: the prefixes of tags are ${[...prefixes].join(", ")}`;
    throw new QkvError(
      "data",
      `${rule}; got "${tag}" as tag ${index + 1}; choose the scheme that the tags have`,
    );
  });
  return [...result, outside];
}

function prefixOf(tag: string, suffix: boolean): string {
  return (suffix ? tag.at(-1) : tag[0]) ?? "";
}

/** What stands beyond the hyphen next to the prefix. */
function lenientType(tag: string, suffix: boolean): string {
  const rest = suffix ? tag.slice(0, -1) : tag.slice(1);
  const hyphen = suffix ? rest.lastIndexOf("-") : rest.indexOf("-");
  if (hyphen < 0) return rest || "_";
  return (suffix ? rest.slice(0, hyphen) : rest.slice(hyphen + 1)) || "_";
}

function strictType(tag: string, suffix: boolean): string {
  const rest = suffix ? tag.slice(0, -1) : tag.slice(1);
  return rest.replace(/^-+|-+$/g, "") || "_";
}

function extractLeniently(tags: readonly Tag[]): Entity[] {
  const entities: Entity[] = [];
  let previous = outside;
  let start = 0;
  for (const [index, tag] of tags.entries()) {
    const isNewType = previous.type !== tag.type;
    const pair = previous.prefix + tag.prefix;
    if (/^[ES]|^[BI][BSO]/.test(pair) || (previous.prefix !== "O" && isNewType)) {
      entities.push({ type: previous.type, start, end: index });
    }
    if (/[BS]$|^[ESO][EI]$/.test(pair) || (tag.prefix !== "O" && isNewType)) start = index;
    previous = tag;
  }
  return entities;
}

/** Two neighbouring tags by their prefixes, `*` for any, and how their types compare. */
type Pattern = readonly [previous: string, current: string, types: "same" | "different" | "any"];

/** A scheme: between which tags an entity begins, goes on, and ends. */
interface Scheme {
  readonly prefixes: string;
  readonly start: readonly Pattern[];
  readonly inside: readonly Pattern[];
  readonly end: readonly Pattern[];
}

const schemes = {
  IOB1: {
    prefixes: "IOB",
    start: [
      ["O", "I", "any"],
      ["I", "I", "different"],
      ["B", "I", "any"],
      ["I", "B", "same"],
      ["B", "B", "same"],
    ],
    inside: [
      ["B", "I", "same"],
      ["I", "I", "same"],
    ],
    end: [
      ["I", "I", "different"],
      ["I", "O", "any"],
      ["I", "B", "any"],
      ["B", "O", "any"],
      ["B", "I", "different"],
      ["B", "B", "same"],
    ],
  },
  IOB2: {
    prefixes: "IOB",
    start: [["*", "B", "any"]],
    inside: [
      ["B", "I", "same"],
      ["I", "I", "same"],
    ],
    end: [
      ["I", "O", "any"],
      ["I", "I", "different"],
      ["I", "B", "any"],
      ["B", "O", "any"],
      ["B", "I", "different"],
      ["B", "B", "any"],
    ],
  },
  // The reference's table as it is: it lacks the ways in which an entity of one word begins or ends with E.
  IOE1: {
    prefixes: "IOE",
    start: [
      ["O", "I", "any"],
      ["I", "I", "different"],
      ["E", "I", "any"],
      ["E", "E", "same"],
    ],
    inside: [
      ["I", "I", "same"],
      ["I", "E", "same"],
    ],
    end: [
      ["I", "I", "different"],
      ["I", "O", "any"],
      ["I", "E", "different"],
      ["E", "I", "same"],
      ["E", "E", "same"],
    ],
  },
  IOE2: {
    prefixes: "IOE",
    start: [
      ["O", "I", "any"],
      ["O", "E", "any"],
      ["E", "I", "any"],
      ["E", "E", "any"],
      ["I", "I", "different"],
      ["I", "E", "different"],
    ],
    inside: [
      ["I", "E", "same"],
      ["I", "I", "same"],
    ],
    end: [["E", "*", "any"]],
  },
  IOBES: bracketScheme("E", "S"),
  BILOU: bracketScheme("L", "U"),
} satisfies Record<TagScheme, Scheme>;

/** A scheme that marks the first and last word of an entity, and one that is both. */
function bracketScheme(last: string, single: string): Scheme {
  return {
    prefixes: `IOB${last}${single}`,
    start: [
      ["*", "B", "any"],
      ["*", single, "any"],
    ],
    inside: [
      ["B", "I", "same"],
      ["B", last, "same"],
      ["I", "I", "same"],
      ["I", last, "same"],
    ],
    end: [
      [single, "*", "any"],
      [last, "*", "any"],
    ],
  };
}

function extractStrictly(tags: readonly Tag[], scheme: Scheme): Entity[] {
  const entities: Entity[] = [];
  let index = 0;
  while (index < tags.length) {
    const tag = tags[index]!;
    const start = index++;
    if (!matches(scheme.start, tags[start - 1] ?? outside, tag)) continue;
    while (index < tags.length && matches(scheme.inside, tags[index - 1]!, tags[index]!)) index++;
    if (matches(scheme.end, tags[index - 1]!, tags[index] ?? outside)) {
      entities.push({ type: tag.type, start, end: index });
    }
  }
  return entities;
}

function matches(patterns: readonly Pattern[], previous: Tag, current: Tag): boolean {
  const types = previous.type === current.type ? "same" : "different";
  return patterns.some(
    ([first, second, relation]) =>
      (first === "*" || first === previous.prefix) &&
      (second === "*" || second === current.prefix) &&
      (relation === "any" || relation === types),
  );
}
