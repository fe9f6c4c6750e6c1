import { QkvError } from "../util/errors.ts";

/**
 * How long an axis is: a number where it is fixed, else a symbol such as "batch" that is known only when the
 * program runs. Sums and products of symbols are written `a+b` and `a*b`.
 */
export type Size = number | string;

/** An axis of a tensor: its name says what it counts, its size how many. */
export interface Dim {
  readonly name: string;
  readonly size: Size;
}

/** An axis; without a size it is a symbolic one of its own name. */
export function dim(name: string, size: Size = name): Dim {
  return { name, size };
}

/** `[batch, sequence, model=512]`: the axes as people read them. */
export function formatDims(dims: readonly Dim[]): string {
  return `[${dims.map((axis) => (axis.name === axis.size ? axis.name : `${axis.name}=${axis.size}`)).join(", ")}]`;
}

export function axisOf(dims: readonly Dim[], name: string, where: string): number {
  const axis = dims.findIndex((candidate) => candidate.name === name);
  if (axis < 0) throw new QkvError("shape", `${where}: needs an axis "${name}"; got ${formatDims(dims)}`);
  return axis;
}

export function sameDims(left: readonly Dim[], right: readonly Dim[]): boolean {
  return (
    left.length === right.length &&
    left.every((axis, index) => axis.name === right[index]!.name && axis.size === right[index]!.size)
  );
}

export function productOfSizes(sizes: readonly Size[]): Size {
  // The product of sums is written as a sum of products, since sizes have no parentheses.
  const terms = sizes.reduce<Size[][]>(
    (products, size) => {
      const factors = typeof size === "number" ? [[size]] : termsOfSize(size);
      return products.flatMap((product) => factors.map((factor) => [...product, ...factor]));
    },
    [[]],
  );
  return terms.map(productOfFactors).reduce(sumOfSizes);
}

function productOfFactors(factors: readonly Size[]): Size {
  const fixed = factors.reduce<number>(
    (product, factor) => (typeof factor === "number" ? product * factor : product),
    1,
  );
  const symbols = factors.filter((factor) => typeof factor === "string");
  if (symbols.length === 0) return fixed;
  return [...symbols, ...(fixed === 1 ? [] : [String(fixed)])].join("*");
}

export function sumOfSizes(left: Size, right: Size): Size {
  return typeof left === "number" && typeof right === "number" ? left + right : `${left}+${right}`;
}

/** The terms of a symbolic size, each a list of factors: `a*2+1` is [[a, 2], [1]]. */
export function termsOfSize(size: string): Size[][] {
  return size
    .split("+")
    .map((term) => term.split("*").map((factor) => (/^\d+$/.test(factor) ? Number(factor) : factor)));
}

/** The number that a size stands for once the lengths of its symbols are known. */
export function evaluateSize(size: Size, lengths: ReadonlyMap<string, number>): number {
  if (typeof size === "number") return size;
  const known = lengths.get(size);
  if (known !== undefined) return known;
  let sum = 0;
  for (const factors of termsOfSize(size)) {
    let product = 1;
    for (const factor of factors) {
      const value = typeof factor === "number" ? factor : lengths.get(factor);
      if (value === undefined) throw new QkvError("internal", `no input tells the length of "${factor}"`);
      product *= value;
    }
    sum += product;
  }
  return sum;
}
