import * as build from "../../../src/graph/build.ts";
import { type Dim, dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { Case, CaseBuilder } from "../case.ts";

const lengths = { a: 2, b: 3, c: 2 };
const large = { a: 12, b: 25, c: 40 };
const axes = (make: CaseBuilder, names: string) => [...names].map((name) => make.axis(name));

const axesOf = (x: Tensor) => x.dims as readonly [Dim, Dim, Dim];

/** The form operators move numbers of every type alike. */
const ofEveryType = (name: string, compute: (x: Tensor, make: CaseBuilder) => Tensor): Case => ({
  name: `${name}, whole numbers and truth values`,
  lengths,
  large,
  forwardOnly: true,
  build: (make) => [
    compute(make.ids("ids", axes(make, "abc"), 9), make),
    compute(make.truths("truths", axes(make, "abc")), make),
  ],
});

const form = (name: string, compute: (x: Tensor, make: CaseBuilder) => Tensor): Case => ({
  name,
  lengths,
  large,
  build: (make) => compute(make.float("x", axes(make, "abc")), make),
});

export const formCases = {
  transpose: [
    ...["bac", "cba", "acb", "cab", "bca", "abc"].map((order) =>
      form(`as ${[...order]}`, (x) => build.transpose(x, [...order])),
    ),
    ofEveryType("as c, a, b", (x) => build.transpose(x, ["c", "a", "b"])),
  ],
  splitDim: [
    {
      name: "a fixed axis into two",
      lengths: { a: 2, head: 2, width: 3 },
      large: { a: 60, head: 8, width: 16 },
      build: (make: CaseBuilder) => {
        const whole = dim("whole", make.length("head") * make.length("width"));
        const x = make.float("x", [make.axis("a"), whole, make.axis("b", "a")]);
        return build.tanh(build.splitDim(x, "whole", [make.fixed("head"), make.fixed("width")]));
      },
    },
    form("a symbolic axis into itself and one", (x) =>
      build.exp(build.splitDim(x, "b", [dim("b"), dim("one", 1)])),
    ),
    form("a merged axis again", (x) => {
      const merged = build.mergeDims(x, ["a", "b"], "ab");
      return build.exp(
        build.splitDim(build.multiply(merged, 2), "ab", [dim("first", "a"), dim("second", "b")]),
      );
    }),
  ],
  mergeDims: [
    form("the first two", (x) => build.exp(build.mergeDims(x, ["a", "b"], "ab"))),
    form("the last two", (x) => build.exp(build.mergeDims(x, ["b", "c"], "bc"))),
    form("all three", (x) => build.softmax(build.mergeDims(x, ["a", "b", "c"], "abc"), "abc")),
    form("one", (x) => build.mergeDims(x, ["b"], "renamed")),
    {
      name: "a symbolic axis and fixed ones",
      lengths: { a: 2, head: 2, width: 3 },
      large: { a: 60, head: 8, width: 16 },
      build: (make: CaseBuilder) => {
        const x = make.float("x", [make.axis("a"), make.fixed("head"), make.fixed("width")]);
        const context = build.mergeDims(x, ["head", "width"], "context");
        return build.multiply(build.mergeDims(build.exp(context), ["a", "context"], "all"), 3);
      },
    },
    ofEveryType("the first two", (x) => build.mergeDims(x, ["a", "b"], "ab")),
  ],
  rename: [
    form("one axis", (x) => build.rename(x, { b: "d" })),
    form("two axes exchanged", (x) => build.exp(build.rename(x, { a: "c", c: "a" }))),
    ofEveryType("one axis", (x) => build.rename(x, { b: "d" })),
  ],
  expand: [
    form("by an axis in front", (x) => build.expand(x, [dim("n", "a"), ...x.dims])),
    form("by an axis in the middle", (x) => build.expand(x, [x.dims[0]!, dim("n", 3), ...x.dims.slice(1)])),
    form("by an axis at the end", (x) => build.expand(x, [...x.dims, dim("n", "b")])),
    form("by several axes", (x) => {
      const [a, b, c] = axesOf(x);
      return build.expand(x, [dim("l", 2), a, dim("m", "c"), b, c, dim("n", 1)]);
    }),
    form("by none", (x) => build.expand(x, x.dims)),
    {
      name: "from a scalar",
      lengths,
      large,
      build: (make: CaseBuilder) => [
        build.expand(make.float("x", []), axes(make, "ab")),
        build.tanh(make.float("y", axes(make, "ab"))),
      ],
    },
    ofEveryType("by an axis in the middle", (x) =>
      build.expand(x, [x.dims[0]!, dim("n", 3), ...x.dims.slice(1)]),
    ),
  ],
  slice: [
    form("the first element", (x) => build.slice(x, "b", 0, 1, dim("b", 1))),
    form("the last element", (x) => build.slice(x, "c", -1, undefined, dim("last", 1))),
    form("all but the last", (x, make) => build.slice(x, "a", 0, -1, dim("rest", make.length("a") - 1))),
    form("from the second on", (x, make) =>
      build.slice(x, "a", 1, undefined, dim("a", make.length("a") - 1)),
    ),
    ofEveryType("the last element", (x) => build.slice(x, "b", -1, undefined, dim("b", 1))),
  ],
  concat: [
    ...["a", "b", "c"]
      .map((axis) =>
        form(`three along ${axis}`, (x, make) => {
          const longer = x.dims.map((own) => (own.name === axis ? dim(axis, "longer") : own));
          return build.concat([x, make.float("y", longer), build.exp(x)], axis);
        }),
      )
      .map((one) => ({ ...one, lengths: { ...lengths, longer: 3 }, large: { ...large, longer: 7 } })),
    form("of which the length is used further", (x) => {
      const twice = build.concat([x, x], "b");
      return build.mergeDims(build.exp(twice), ["a", "b"], "ab");
    }),
    ofEveryType("two along b", (x) => build.concat([x, x], "b")),
  ],
  split: [
    ...["a", "b", "c"].map(
      (axis): Case => ({
        name: `into three along ${axis}`,
        lengths,
        large,
        build: (make) => {
          const whole = (name: string) => dim(name, 2 * make.length(name) + 2);
          const x = make.float("x", [whole("a"), whole("b"), whole("c")]);
          const part = make.length(axis);
          const into = [dim(axis, part), dim("middle", part + 1), dim(axis, 1)];
          const [first, second, third] = build.split(x, axis, into) as [Tensor, Tensor, Tensor];
          return [build.exp(third), build.multiply(first, first), build.tanh(second)];
        },
      }),
    ),
    {
      name: "of which only some are used",
      lengths: { a: 2, b: 3 },
      large: { a: 50, b: 60 },
      build: (make: CaseBuilder) => {
        const x = make.float("x", [make.axis("a"), dim("all", 2 * make.length("b") + 1)]);
        const parts = build.split(x, "all", [dim("b", make.length("b")), dim("one", 1), make.fixed("b")]);
        return build.exp(parts[2]!);
      },
    },
    ofEveryType("into one", (x) => build.split(x, "b", [dim("renamed", "b")])[0]!),
  ],
} satisfies Record<string, readonly Case[]>;
