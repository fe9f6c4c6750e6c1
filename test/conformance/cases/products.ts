import * as build from "../../../src/graph/build.ts";
import type { Case, CaseBuilder } from "../case.ts";

/** Capital letters are fixed axes, small ones symbolic. */
const axes = (make: CaseBuilder, names: string) =>
  [...names].map((name) => (name === name.toLowerCase() ? make.axis(name) : make.fixed(name.toLowerCase())));

const lengths = { a: 2, b: 3, c: 2, k: 3, l: 2, n: 2, m: 2 };
const large = { a: 40, b: 50, c: 4, k: 30, l: 3, n: 4, m: 4 };

const product = (name: string, left: string, right: string, over: string, scale = 1): Case => ({
  name: `${name}: [${[...left]}] · [${[...right]}] over [${[...over]}]${scale === 1 ? "" : `, scaled`}`,
  lengths,
  large,
  build: (make) =>
    build.contract(
      make.float("left", axes(make, left)),
      make.float("right", axes(make, right)),
      [...over],
      scale,
    ),
});

const biased = (name: string, left: string, right: string, over: string, bias: string, scale = 1): Case => ({
  name: `${name}: [${[...left]}] · [${[...right]}] over [${[...over]}] + [${[...bias]}]`,
  lengths,
  large,
  build: (make) => {
    const factors = [make.float("left", axes(make, left)), make.float("right", axes(make, right))] as const;
    const result = build.contract(factors[0], factors[1], [...over], scale);
    const addend = make.float("bias", axes(make, bias));
    return name.startsWith("bias first") ? build.add(addend, result) : build.add(result, addend);
  },
});

export const productCases = {
  contract: [
    product("two matrices", "ak", "kb", "k"),
    product("the second transposed", "ak", "bk", "k"),
    product("the first transposed", "ka", "kb", "k"),
    product("both transposed", "ka", "bk", "k"),
    product("fixed axes", "AK", "BK", "k"),
    product("scaled", "ak", "bk", "k", 0.3),
    product("two vectors", "k", "k", "k"),
    product("two vectors scaled", "k", "k", "k", -2),
    product("matrix and vector", "ak", "k", "k"),
    product("vector and matrix", "k", "kb", "k"),
    product("vector and matrix transposed", "k", "bk", "k"),
    product("outer product", "a", "b", ""),
    product("two free axes on the left", "abk", "ck", "k"),
    product("two free axes on the right", "ak", "bck", "k"),
    product("summed over two axes", "akl", "klb", "kl"),
    product("summed over two axes, transposed", "akl", "bkl", "kl"),
    product("summed over two axes in another order", "akl", "blk", "kl"),
    product("summed over two axes apart", "kal", "kbl", "kl"),
    product("summed over everything", "abk", "abk", "abk"),
    product("a batch in front", "nak", "nkb", "k"),
    product("a batch in front, the second transposed", "nak", "nbk", "k"),
    product("a batch in front, the first transposed", "nka", "nkb", "k"),
    product("a batch, both transposed, scaled", "nka", "nbk", "k", 0.25),
    product("a batch in the middle on the left", "ank", "nkb", "k"),
    product("a batch in the middle on the right", "nak", "knb", "k"),
    product("a batch at the end", "akn", "bkn", "k"),
    product("two batch axes: scores", "nmak", "nmbk", "k", 0.5),
    product("two batch axes: context", "nmak", "nmkb", "k"),
    product("two batch axes in another order", "nmak", "mnkb", "k"),
    product("a batch and no free axis", "nk", "nk", "k"),
    product("a batch and a free axis on the right only", "nk", "nkb", "k"),
    product("a batch and a free axis on the left only", "nak", "nk", "k"),
    product("only batch axes", "na", "na", ""),
    product("a batch of outer products", "na", "nb", ""),
    product("a batch, two free axes, two summed", "nackl", "nlkb", "kl"),
    product("a table and a batch", "bk", "nak", "k"),
    {
      name: "with itself",
      lengths,
      large,
      build: (make) => {
        const x = make.float("x", axes(make, "ak"));
        return [build.contract(x, x, ["a", "k"]), build.contract(x, build.rename(x, { a: "b" }), "k")];
      },
    },
    biased("bias", "ak", "bk", "k", "b"),
    biased("bias first", "ak", "bk", "k", "b"),
    biased("bias, scaled", "ak", "kb", "k", "b", 0.5),
    biased("bias of two axes", "ak", "bck", "k", "bc"),
    biased("bias under three axes", "nacK", "BK", "k", "B"),
    biased("bias of the left's axis", "ak", "bk", "k", "a"),
    biased("bias of all axes", "ak", "bk", "k", "ab"),
    biased("bias of a row", "k", "bk", "k", "b"),
    biased("scalar bias", "ak", "bk", "k", ""),
    biased("bias of a batch", "nak", "nbk", "k", "b"),
    {
      name: "a product that is added to another, and used twice",
      lengths,
      large,
      build: (make) => {
        const first = build.contract(
          make.float("x", axes(make, "ak")),
          make.float("w", axes(make, "bk")),
          "k",
        );
        const second = build.contract(
          make.float("y", axes(make, "k")),
          make.float("v", axes(make, "bk")),
          "k",
        );
        const total = build.add(first, second);
        return [total, build.multiply(first, build.add(second, second))];
      },
    },
  ],
} satisfies Record<string, readonly Case[]>;
