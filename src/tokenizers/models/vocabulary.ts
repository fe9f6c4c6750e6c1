import { QkvError } from "../../util/errors.ts";
import { type JsonObject, readObject, wrongKind } from "../json.ts";

/** Tokens and ids, both ways. */
export class Vocabulary {
  readonly #ids: Map<string, number>;
  readonly #tokens: (string | undefined)[];

  constructor(ids: Map<string, number>) {
    this.#ids = ids;
    this.#tokens = [];
    for (const [token, id] of ids) this.#tokens[id] = token;
  }

  /** How many tokens there are. */
  get size(): number {
    return this.#ids.size;
  }

  /** One more than the largest id. */
  get idLimit(): number {
    return this.#tokens.length;
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** All tokens with their ids, in the order of the file. */
  entries(): IterableIterator<[string, number]> {
    return this.#ids.entries();
  }
}

const largestId = 2 ** 24;

/** The vocabulary of a field of JSON: an object from token to id. */
export function readVocabulary(object: JsonObject, key: string, place: string): Vocabulary {
  const field = `${place}.${key}`;
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(readObject(object[key], field))) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= largestId) {
      throw wrongKind(`${field}[${JSON.stringify(token)}]`, "an id, a whole number from 0", id);
    }
    ids.set(token, id);
  }
  return new Vocabulary(ids);
}

/** The id of a token that must be in the vocabulary. */
export function requireToken(vocabulary: Vocabulary, token: string, place: string): number {
  const id = vocabulary.idOf(token);
  if (id !== undefined) return id;
  throw new QkvError("config", `${place}: the token ${JSON.stringify(token)} is not in the vocabulary`);
}
