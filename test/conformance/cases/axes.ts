import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { type Case, type CaseBuilder, positive } from "../case.ts";

const lengths = { a: 2, b: 3, c: 2 };
const large = { a: 24, b: 33, c: 65 };
const axes = (make: CaseBuilder, names: string) => [...names].map((name) => make.axis(name));

const reduction = (compute: (x: Tensor, axes: readonly string[]) => Tensor): Case[] =>
  ["a", "b", "c", "ab", "bc", "ac", "ca", "abc", ""].map((over) => ({
    name: over === "" ? "over no axis" : `over ${[...over].join(", ")} of a, b, c`,
    lengths,
    large,
    build: (make) => compute(make.float("x", axes(make, "abc")), [...over]),
  }));

/** The same with axes whose lengths are numbers of the program. */
const fixedReduction = (compute: (x: Tensor, axes: readonly string[]) => Tensor): Case[] => [
  {
    name: "over a fixed axis and a symbolic one",
    lengths,
    build: (make) => compute(make.float("x", [make.axis("a"), make.axis("b"), make.fixed("c")]), ["c", "b"]),
  },
  {
    name: "over a fixed axis",
    lengths,
    build: (make) => compute(make.float("x", [make.axis("a"), make.fixed("b"), make.axis("c")]), ["b"]),
  },
  { name: "of one axis", lengths, build: (make) => compute(make.float("x", axes(make, "b")), ["b"]) },
];

const layerNorm = (names: string): Case => ({
  name: `over the last of ${[...names].join(", ")}`,
  lengths: { a: 2, b: 3, c: 4 },
  large,
  build: (make) => {
    const x = make.float("x", [...axes(make, names.slice(0, -1)), make.fixed(names.at(-1)!)]);
    const last = x.dims.at(-1)!;
    return build.layerNormOutputs(
      x,
      make.parameter("gain", [last], positive),
      make.parameter("bias", [last]),
      1e-5,
    )[0]!;
  },
});

export const axesCases = {
  sum: [...reduction(build.sum), ...fixedReduction(build.sum)],
  mean: [...reduction(build.mean), ...fixedReduction(build.mean)],
  max: reduction(build.max),
  softmax: ["a", "b", "c"].map((axis) => ({
    name: `along ${axis} of a, b, c`,
    lengths,
    large,
    build: (make: CaseBuilder) => build.softmax(make.float("x", axes(make, "abc")), axis),
  })),
  softmaxGradient: ["a", "b", "c"].map((axis) => ({
    name: `along ${axis} of a, b, c`,
    lengths,
    large,
    build: (make: CaseBuilder) =>
      build.softmaxGradient(
        make.float("weights", axes(make, "abc")),
        make.float("gradient", axes(make, "abc")),
        axis,
      ),
  })),
  layerNorm: [
    layerNorm("abc"),
    layerNorm("ac"),
    layerNorm("c"),
    {
      name: "with its statistics",
      lengths: { a: 2, b: 3, c: 4 },
      large,
      forwardOnly: true,
      build: (make: CaseBuilder) => {
        const x = make.float("x", axes(make, "abc"));
        const last = x.dims.at(-1)!;
        return build.layerNormOutputs(
          x,
          make.float("gain", [last], positive),
          make.float("bias", [last]),
          0.1,
        );
      },
    },
  ],
  topK: [
    ...["a", "b", "c"].map((axis) => ({
      name: `along ${axis} of a, b, c`,
      lengths: { a: 3, b: 4, c: 3 },
      large,
      build: (make: CaseBuilder) => {
        const x = make.float("x", axes(make, "abc"));
        return build.topK(x, axis, Math.min(2, make.length(axis)), "best");
      },
    })),
    {
      name: "all, many of them equal",
      lengths: { a: 3, b: 9 },
      large: { a: 300, b: 100 },
      build: (make: CaseBuilder) => {
        const x = make.float("x", [make.axis("a"), make.axis("b")], (random) => random.below(3));
        return build.topK(x, "b", make.length("b"));
      },
    },
  ],
  range: [
    {
      name: "a fixed axis and symbolic ones",
      lengths,
      large: { a: 5000, b: 33, c: 65 },
      build: (make: CaseBuilder) => [
        make.weights("x", axes(make, "ac")),
        build.range(dim("b", make.length("b"))),
        build.range(make.axis("a")),
        build.range(dim("more", "a*c")),
        build.range(dim("sum", "a+c")),
      ],
    },
  ],
} satisfies Record<string, readonly Case[]>;
