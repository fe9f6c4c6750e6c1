import { input } from "../graph/build.ts";
import { type Dim, dim, formatDims } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { didYouMean, QkvError } from "../util/errors.ts";
import { camelCase, snakeCase } from "../util/spelling.ts";
import type { HostInput, HostInputs, InputName, InputSpec, InputSpecs, Model } from "./family.ts";

type HasInputs = Pick<Model, "inputs" | "architecture">;

/** The inputs of a text that is read as a whole: ids and a mask, maybe token types, positions. */
export function textInputs(sizes: {
  vocabSize: number;
  /** The longest text, in tokens. */
  maxPositions: number;
  /** How many rows the table of positions has. Default: maxPositions. */
  positionCount?: number;
  tokenTypeCount?: number;
  /** Default: 0, 1, 2 ... */
  positions?: (inputIds: HostInput) => HostInput;
}): InputSpecs {
  const dims = [dim("batch"), dim("sequence")];
  const { tokenTypeCount = 0, positionCount = sizes.maxPositions, positions = countedPositions } = sizes;
  const ofIds = (fill: (inputIds: HostInput) => HostInput) => (given: HostInputs) => fill(given.inputIds!);
  return {
    inputIds: {
      dtype: "int32",
      dims,
      below: sizes.vocabSize,
      longest: sizes.maxPositions,
      required: true,
    },
    attentionMask: { dtype: "int32", dims, below: 2, fill: ofIds((ids) => filledLike(ids, () => 1)) },
    ...(tokenTypeCount > 0 && {
      tokenTypeIds: {
        dtype: "int32",
        dims,
        below: tokenTypeCount,
        fill: ofIds((ids) => filledLike(ids, () => 0)),
      },
    }),
    positionIds: { dtype: "int32", dims, below: positionCount, fill: ofIds(positions) },
  };
}

/** Whole numbers in the shape of another input. */
export function filledLike(
  like: HostInput,
  value: (index: number) => number,
): { data: Int32Array<ArrayBuffer>; shape: readonly number[] } {
  return {
    data: Int32Array.from({ length: like.data.length }, (_, index) => value(index)),
    shape: like.shape,
  };
}

/** 0, 1, 2 ... in each row. */
export function countedPositions(inputIds: HostInput): HostInput {
  const width = inputIds.shape.at(-1)!;
  return filledLike(inputIds, (index) => index % width);
}

/**
 * Checks the inputs of a forward pass, adapts them to what the graph takes, and fills in those that have a default:
 * the result holds every input but labels, and labels where they were given.
 * @param spell - how an input is called in messages
 * @throws QkvError "data" for inputs that the model does not take, that do not fit together or are out of range
 */
export function completeInputs(
  model: HasInputs,
  given: HostInputs,
  spell: (name: string) => string = (name) => name,
): HostInputs {
  const known = Object.keys(model.inputs);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(model.inputs, name)) throw unknownInput(model, spell(name), known.map(spell));
  }
  const complete: { [Name in InputName]?: HostInput } = {};
  const lengths = new Map<string, number>();
  for (const name of known as InputName[]) {
    const spec = model.inputs[name]!;
    const own = given[name];
    if (own === undefined && spec.required) {
      throw new QkvError(
        "data",
        `inputs: ${spell(name)} is needed; got ${shown(Object.keys(given).map(spell))}`,
      );
    }
    const value = own ?? spec.fill?.({ ...given, ...complete });
    if (value === undefined) continue;
    checkInput(spell(name), value, spec, lengths);
    complete[name] = own !== undefined && spec.adapt !== undefined ? spec.adapt(value) : value;
  }
  return complete;
}

function checkInput(name: string, value: HostInput, spec: InputSpec, lengths: Map<string, number>): void {
  const { data, shape } = value;
  const fits =
    shape.length === spec.dims.length && spec.dims.every((axis, index) => fitsAxis(axis, shape[index]!));
  if (!fits) {
    const wanted = spec.dims.map(({ name: axis, size }) => dim(axis, lengths.get(String(size)) ?? size));
    throw new QkvError("data", `inputs: ${name} must be ${formatDims(wanted)}; got [${shape.join(", ")}]`);
  }
  if (data.length === 0) {
    const got = `[${shape.join(", ")}]`;
    throw new QkvError("data", `inputs: ${name} must have at least one row and one column; got ${got}`);
  }
  const length = shape.at(-1)!;
  if (spec.longest !== undefined && length > spec.longest) {
    throw new QkvError(
      "data",
      `inputs: ${name} may have ${spec.longest} positions at most in this model; got ${length}; ` +
        "truncate the text or split it",
    );
  }
  const { below } = spec;
  if (below === undefined) return;
  const wrong = data.findIndex((id) => !(id >= 0 && id < below) && !(spec.ignored === id));
  if (wrong >= 0) {
    const place = `row ${Math.floor(wrong / length)}, position ${wrong % length}`;
    throw new QkvError(
      "data",
      `inputs: ${name} must be from 0 to ${below - 1}; got ${data[wrong]} (${place})`,
    );
  }

  function fitsAxis(axis: Dim, own: number): boolean {
    if (typeof axis.size === "number") return axis.size === own;
    const before = lengths.get(axis.size);
    if (before === undefined) lengths.set(axis.size, own);
    return before === undefined || before === own;
  }
}

function unknownInput(model: HasInputs, name: string, known: readonly string[]): QkvError {
  return new QkvError(
    "data",
    `inputs: ${model.architecture} takes ${known.join(", ")}; got ${name}${didYouMean(name, known)}`,
  );
}

/** The graph's inputs of these names. */
export function inputTensors(
  model: HasInputs,
  names: Iterable<string>,
): { readonly [Name in InputName]?: Tensor } {
  const tensors: { [Name in InputName]?: Tensor } = {};
  for (const name of names as Iterable<InputName>) {
    const { dims, dtype } = model.inputs[name]!;
    tensors[name] = input(name, dims, dtype);
  }
  return tensors;
}

/**
 * Inputs from nested lists under their Hugging Face names, as in `{"input_ids": [[5, 7]], "labels": [1]}`, complete.
 * @throws QkvError "data" for anything that is no such input
 */
export function inputsFromJson(model: HasInputs, json: unknown): HostInputs {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new QkvError("data", `inputs: must be an object with lists of numbers; got ${shown(json)}`);
  }
  const given: { [Name in InputName]?: HostInput } = {};
  for (const [spelled, value] of Object.entries(json)) {
    const name = camelCase(spelled) as InputName;
    const spec = model.inputs[name];
    // Only the names of files are taken here, so that one file means the same everywhere.
    if (spec === undefined || snakeCase(name) !== spelled) {
      throw unknownInput(model, spelled, Object.keys(model.inputs).map(snakeCase));
    }
    given[name] = arrayOfLists(spelled, value, spec.dtype);
  }
  return completeInputs(model, given, snakeCase);
}

/** Nested lists, all of one length on each level, as numbers with their shape. */
function arrayOfLists(name: string, value: unknown, dtype: InputSpec["dtype"]): HostInput {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const numbers: number[] = [];
  const visit = (item: unknown, depth: number, place: string): void => {
    if (depth < shape.length) {
      if (!Array.isArray(item) || item.length !== shape[depth]) {
        const got = Array.isArray(item) ? `${item.length} items` : shown(item);
        throw new QkvError(
          "data",
          `inputs: ${name}${place} must have ${shape[depth]} items, as the rows before it; got ${got}; pad the rows`,
        );
      }
      item.forEach((inner, index) => {
        visit(inner, depth + 1, `${place}[${index}]`);
      });
      return;
    }
    const isRight = dtype === "int32" ? Number.isInteger(item) : typeof item === "number";
    if (!isRight) {
      const rule = dtype === "int32" ? "a whole number" : "a number";
      throw new QkvError("data", `inputs: ${name}${place} must be ${rule}; got ${shown(item)}`);
    }
    numbers.push(item as number);
  };
  visit(value, 0, "");
  return { data: dtype === "int32" ? Int32Array.from(numbers) : Float32Array.from(numbers), shape };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
