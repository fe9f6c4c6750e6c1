/**
 * How the parameters of a model are called in checkpoints, as data, and the check that a checkpoint and a model
 * have the same ones.
 */
import { QkvError } from "../util/errors.ts";
import { summarizeNames } from "./summarize-names.ts";

/** A parameter's place in a checkpoint, where it is more than a name. */
export interface TensorName {
  readonly name: string;
  /** The checkpoint keeps the matrix transposed. */
  readonly transposed?: boolean;
  /** The checkpoint's tensor is `count` parameters of equal shape side by side along an axis; this is which. */
  readonly part?: { readonly index: number; readonly count: number; readonly axis: 0 | 1 };
  /** The checkpoint's tensor has an axis of length 1 in front. */
  readonly leadingAxis?: boolean;
}

/**
 * The names of a family's parameters. In addresses and names `{layer}` stands for a whole number, the same on
 * both sides.
 */
export interface CheckpointNames {
  /** The beginning of the base model's names, which checkpoints of the base model alone lack; may be "". */
  readonly base: string;
  /** By the parameter's address; for all of the family's models, each of which has some of them. */
  readonly tensors: Readonly<Record<string, string | TensorName>>;
  /** Endings of names that were in use earlier, and what they are today. */
  readonly olderEndings?: Readonly<Record<string, string>>;
  /** Names of tensors that checkpoints may hold and no model of the family needs. */
  readonly ignored?: readonly string[];
}

/** The rows of a linear layer. */
export function linearNames(address: string, name: string): Record<string, string> {
  return { [`${address}.weight`]: `${name}.weight`, [`${address}.bias`]: `${name}.bias` };
}

/** The rows of a layer norm, whose gain is called weight in checkpoints. */
export function normNames(address: string, name: string): Record<string, string> {
  return { [`${address}.gain`]: `${name}.weight`, [`${address}.bias`]: `${name}.bias` };
}

/** Where a parameter's values lie: a tensor of the checkpoint, and what to do to it. */
export interface BoundTensor extends TensorName {
  /** The shape of the parameter. */
  readonly shape: readonly number[];
}

/** What a file of weights must hold, for messages. */
export interface CheckpointRule {
  readonly holds: string;
  readonly wayOut: string;
}

const modelRule: CheckpointRule = {
  holds: "the weights of the model that config.json describes",
  wayOut: "fetch config.json and weights from one place, or name another architecture",
};

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Finds the tensor of each parameter, and checks that none is missing, left over or of another shape.
 * @param wanted - the shapes of the parameters, by address
 * @param stored - the tensors of the checkpoint, by name
 * @param where - the file, for the error
 * @param rule - what the file must hold, and the way out where it does not
 * @throws QkvError "weights" with everything that does not fit
 */
export function bindCheckpoint(
  wanted: Shapes,
  stored: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  names: CheckpointNames,
  where: string,
  rule: CheckpointRule = modelRule,
): Map<string, BoundTensor> {
  const { bound, missing, leftOver, different, twice } = matchTensors(wanted, stored, names);
  const problems = { missing: [...missing.values()], leftOver, different: [...different.values()], twice };
  refuseProblems(where, problems, rule);
  return bound;
}

/** A checkpoint for a model that it was not made for: what it has of it, and what it has not. */
export interface PartialBinding {
  readonly bound: ReadonlyMap<string, BoundTensor>;
  /** Addresses of parameters that the checkpoint does not have, or in another shape. */
  readonly absent: readonly string[];
  /** Names of tensors that the model has no use for. */
  readonly unused: readonly string[];
}

/**
 * The same for a model with another head than the checkpoint's: what lies outside layers and embeddings may be absent,
 * and what the model does not have is not used.
 * @throws QkvError "weights" where a layer or an embedding is missing or of another shape
 */
export function bindBase(
  wanted: Shapes,
  stored: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  names: CheckpointNames,
  where: string,
): PartialBinding {
  const { bound, missing, leftOver, different, twice } = matchTensors(wanted, stored, names);
  const isBase = (address: string) => /(^|\.)(layers|embedding|positions)(\.|$)/.test(address);
  const of = (problems: ReadonlyMap<string, string>) =>
    [...problems].filter(([address]) => isBase(address)).map(([, problem]) => problem);
  refuseProblems(where, { missing: of(missing), leftOver: [], different: of(different), twice });
  const absent = [...missing.keys(), ...different.keys()];
  return {
    bound: new Map([...bound].filter(([address]) => !different.has(address))),
    absent,
    unused: leftOver,
  };
}

/** Each parameter's tensor, and everything that does not fit, by address where it has one. */
function matchTensors(
  wanted: Shapes,
  stored: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  names: CheckpointNames,
) {
  const { places, isNeeded } = placesOf(wanted.keys(), names);
  const ignorable = [
    ...(names.ignored ?? []),
    ...Object.entries(names.tensors)
      .filter(([address]) => !isNeeded(address))
      .map(([, place]) => nameOf(place)),
  ].map(patternToRegExp);

  const needed = new Set([...places.values()].map(({ name }) => name));
  const found = new Map<string, string>();
  const leftOver: string[] = [];
  const twice: string[] = [];
  for (const name of stored.keys()) {
    const spellings = spellingsOf(name, names);
    const known = spellings.find((spelling) => needed.has(spelling));
    if (known === undefined) {
      if (!spellings.some((spelling) => ignorable.some((pattern) => pattern.test(spelling))))
        leftOver.push(name);
    } else if (found.has(known)) {
      twice.push(`${found.get(known)!} and ${name}`);
    } else {
      found.set(known, name);
    }
  }

  const bound = new Map<string, BoundTensor>();
  const missing = new Map<string, string>();
  const different = new Map<string, string>();
  for (const [address, place] of places) {
    const name = found.get(place.name);
    if (name === undefined) {
      missing.set(address, place.name);
      continue;
    }
    const shape = wanted.get(address)!;
    const expected = storedShape(shape, place);
    const got = stored.get(name)!.shape;
    if (got.join() !== expected.join())
      different.set(address, `${name} is [${got.join(", ")}], must be [${expected.join(", ")}]`);
    bound.set(address, { ...place, name, shape });
  }
  return { bound, missing, leftOver, different, twice };
}

function refuseProblems(
  where: string,
  found: {
    readonly missing: readonly string[];
    readonly leftOver: readonly string[];
    readonly different: readonly string[];
    readonly twice: readonly string[];
  },
  rule: CheckpointRule = modelRule,
): void {
  const titles = {
    missing: "missing",
    leftOver: "left over",
    different: "different",
    twice: "one tensor under two names",
  };
  const problems = Object.entries(titles).flatMap(([kind, title]) => {
    const names = new Set(found[kind as keyof typeof titles]);
    return names.size > 0 ? [`${title}: ${summarizeNames(names)}`] : [];
  });
  if (problems.length === 0) return;
  throw new QkvError(
    "weights",
    `${where}: must hold ${rule.holds}; got ${problems.join("; ")}; ${rule.wayOut}`,
  );
}

/** The way back: parameters as a checkpoint's tensors. Those that were packed into one are packed again. */
export function nameTensors(
  values: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  names: CheckpointNames,
  options: { readonly withBase: boolean },
): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [address, place] of placesOf(values.keys(), names).places) {
    const { shape, data } = values.get(address)!;
    const name =
      !options.withBase && place.name.startsWith(names.base)
        ? place.name.slice(names.base.length)
        : place.name;
    const full = storedShape(shape, place);
    const own = place.transposed ? transposed(data, shape[0]!, shape[1]!) : data;
    if (place.part === undefined) {
      tensors.set(name, { shape: full, data: own });
      continue;
    }
    const packed = tensors.get(name) ?? {
      shape: full,
      data: new Float32Array(full.reduce((left, right) => left * right, 1)),
    };
    tensors.set(name, packed);
    copyPart(packed, own, place.part, "into");
  }
  return tensors;
}

/** The values of a parameter from the tensor that holds them. @param data - all of the checkpoint's tensor */
export function valuesOf(bound: BoundTensor, data: Float32Array): Float32Array {
  const { part, shape } = bound;
  let own = data;
  if (part !== undefined) {
    own = new Float32Array(data.length / part.count);
    copyPart({ shape: storedShape(shape, bound), data }, own, part, "from");
  }
  return bound.transposed ? transposed(own, shape[1]!, shape[0]!) : own;
}

/** Where each of these parameters lies in a checkpoint, by its address. */
export function checkpointPlaces(
  addresses: Iterable<string>,
  names: CheckpointNames,
): ReadonlyMap<string, TensorName> {
  return placesOf(addresses, names).places;
}

/** The place of each parameter, and whether a row of the table belongs to any. */
function placesOf(addresses: Iterable<string>, names: CheckpointNames) {
  const rows = Object.entries(names.tensors).map(([pattern, place]) => ({
    pattern,
    expression: patternToRegExp(pattern),
    place: typeof place === "string" ? { name: place } : place,
  }));
  const places = new Map<string, TensorName>();
  const used = new Set<string>();
  for (const address of addresses) {
    for (const { pattern, expression, place } of rows) {
      const match = expression.exec(address);
      if (match === null) continue;
      used.add(pattern);
      places.set(address, { ...place, name: place.name.replaceAll("{layer}", match[1] ?? "") });
      break;
    }
    if (!places.has(address))
      throw new QkvError("internal", `weights: the parameter ${address} has no name in checkpoints`);
  }
  return { places, isNeeded: (pattern: string) => used.has(pattern) };
}

const nameOf = (place: string | TensorName): string => (typeof place === "string" ? place : place.name);

/** What a name of a checkpoint may stand for: itself, with today's ending, each also with the base in front. */
function spellingsOf(name: string, { base, olderEndings = {} }: CheckpointNames): string[] {
  const spellings = [name];
  for (const [older, newer] of Object.entries(olderEndings)) {
    if (name.endsWith(older)) spellings.push(name.slice(0, -older.length) + newer);
  }
  return base === "" ? spellings : [...spellings, ...spellings.map((spelling) => base + spelling)];
}

/** The shape of the checkpoint's tensor that holds a parameter of this shape. */
function storedShape(shape: readonly number[], { transposed, part, leadingAxis }: TensorName): number[] {
  const full = transposed ? shape.toReversed() : [...shape];
  if (part !== undefined) full[part.axis]! *= part.count;
  return leadingAxis ? [1, ...full] : full;
}

function patternToRegExp(pattern: string): RegExp {
  const literal = pattern.replace(/[.+*?^$()|[\]\\]/g, "\\$&");
  // The first number is remembered, for the name on the other side.
  return new RegExp(`^${literal.replace("{layer}", "(\\d+)").replaceAll("{layer}", "\\d+")}$`);
}

/** A matrix [rows, columns] as [columns, rows]. */
function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = data[row * columns + column]!;
    }
  }
  return result;
}

/** Copies one of several equal parts along an axis out of a tensor, or into it. */
function copyPart(
  whole: { readonly shape: readonly number[]; readonly data: Float32Array },
  own: Float32Array,
  { index, count, axis }: NonNullable<TensorName["part"]>,
  direction: "from" | "into",
): void {
  const outer = whole.shape.slice(0, axis).reduce((left, right) => left * right, 1);
  const width = own.length / outer;
  for (let row = 0; row < outer; row++) {
    const start = (row * count + index) * width;
    if (direction === "into") whole.data.set(own.subarray(row * width, (row + 1) * width), start);
    else own.set(whole.data.subarray(start, start + width), row * width);
  }
}
