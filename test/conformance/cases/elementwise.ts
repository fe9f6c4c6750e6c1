import * as build from "../../../src/graph/build.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { awayFromZero, type Case, type CaseBuilder, normal, positive, type Sample } from "../case.ts";

const lengths = { a: 2, b: 3, c: 2 };
const large = { a: 24, b: 33, c: 65 };

const unary = (compute: (x: Tensor) => Tensor, sample: Sample = normal): Case[] => [
  {
    name: "three axes",
    lengths,
    large,
    build: (make) => compute(make.float("x", [make.axis("a"), make.axis("b"), make.axis("c")], sample)),
  },
  { name: "a scalar", lengths: {}, build: (make) => compute(make.float("x", [], sample)) },
];

/** The ways in which two operands meet: the axes of the left one and those of the right one. */
const meetings: readonly (readonly [name: string, left: string, right: string])[] = [
  ["the same axes", "abc", "abc"],
  ["right lacks the first axis", "abc", "bc"],
  ["right lacks the middle axis", "abc", "ac"],
  ["right lacks the last axis", "abc", "ab"],
  ["right has only the last axis", "abc", "c"],
  ["right has only the first axis", "abc", "a"],
  ["right is a scalar", "abc", ""],
  ["left lacks the first axis", "bc", "abc"],
  ["left lacks the last axis", "ab", "abc"],
  ["left has only the middle axis", "b", "abc"],
  ["left is a scalar", "", "abc"],
  ["two scalars", "", ""],
];
const allMeetings = meetings.map(([name]) => name);
/** Those that show every way once; all of them are for one operator. */
const fewMeetings = [
  "the same axes",
  "right lacks the middle axis",
  "right is a scalar",
  "left lacks the first axis",
];

const axes = (make: CaseBuilder, names: string) => [...names].map((name) => make.axis(name));

const binary = (
  compute: (left: Tensor, right: Tensor) => Tensor,
  operand: (make: CaseBuilder, name: string, names: string) => Tensor,
  chosen: readonly string[] = fewMeetings,
): Case[] =>
  meetings
    .filter(([name]) => chosen.includes(name))
    .map(([name, left, right]) => ({
      name,
      lengths,
      large,
      build: (make) => compute(operand(make, "left", left), operand(make, "right", right)),
    }));

const floats = (sample: Sample) => (make: CaseBuilder, name: string, names: string) =>
  make.float(name, axes(make, names), sample);
const smallIds = (make: CaseBuilder, name: string, names: string) => make.ids(name, axes(make, names), 4, -1);
const truths = (make: CaseBuilder, name: string, names: string) => make.truths(name, axes(make, names));

/** One with itself, and with a constant on either side. */
const withItself = (
  compute: (left: Tensor | number, right: Tensor | number) => Tensor,
  sample: Sample = normal,
): Case[] => [
  {
    name: "with itself and with constants",
    lengths,
    large,
    build: (make) => {
      const x = make.float("x", axes(make, "abc"), sample);
      return [compute(x, x), compute(x, 3), compute(0.5, x)];
    },
  },
];
const commuted =
  (compute: (left: Tensor, right: Tensor | number) => Tensor) =>
  (left: Tensor | number, right: Tensor | number): Tensor =>
    typeof left === "number" ? compute(right as Tensor, left) : compute(left, right);

export const elementwiseCases = {
  negate: unary(build.negate),
  exp: unary(build.exp),
  log: unary(build.log, positive),
  sqrt: unary(build.sqrt, positive),
  reciprocal: unary(build.reciprocal, awayFromZero),
  tanh: unary(build.tanh),
  erf: unary(build.erf),
  sigmoid: unary(build.sigmoid),
  relu: unary(build.relu, awayFromZero),
  gelu: [
    ...unary((x) => build.gelu(x)),
    ...unary((x) => build.gelu(x, "tanh")).map((one) => ({ ...one, name: `${one.name}, by tanh` })),
  ],
  geluGradient: (["none", "tanh"] as const).map(
    (approximation): Case => ({
      name: approximation === "none" ? "exact" : "by tanh",
      lengths,
      large,
      forwardOnly: true,
      build: (make) =>
        build.geluGradient(
          make.float("x", axes(make, "abc"), (random) => 3 * random.normal()),
          make.float("gradient", axes(make, "abc")),
          approximation,
        ),
    }),
  ),
  positive: unary(build.positive, awayFromZero),
  after: (["abc", "b"] as const).map(
    (names): Case => ({
      name: names === "abc" ? "a value of three axes" : "a value of one axis",
      lengths,
      large,
      forwardOnly: true,
      build: (make) => {
        const x = make.float("x", axes(make, names));
        const token = make.float("token", axes(make, "ab"));
        const doubled = build.multiply(build.after(x, build.exp(token)), 2);
        return [
          doubled,
          build.multiply(x, 2),
          build.after(build.multiply(x, 3), build.sum(token, ["a", "b"])),
        ];
      },
    }),
  ),
  add: [...binary(build.add, floats(normal)), ...withItself(commuted(build.add))],
  subtract: [...binary(build.subtract, floats(normal)), ...withItself(build.subtract)],
  multiply: [...binary(build.multiply, floats(normal), allMeetings), ...withItself(commuted(build.multiply))],
  divide: [...binary(build.divide, floats(awayFromZero)), ...withItself(build.divide, awayFromZero)],
  lessOrEqual: binary(build.lessOrEqual, smallIds),
  equal: binary(build.equal, smallIds),
  and: binary(build.and, truths),
  not: [{ name: "three axes", lengths, large, build: (make) => build.not(truths(make, "x", "abc")) }],
  where: [
    ...(
      [
        ["the same axes", "abc", "abc", "abc"],
        ["the condition lacks an axis", "bc", "abc", "abc"],
        ["yes lacks the last axis", "abc", "ab", "abc"],
        ["no has only the middle axis", "abc", "abc", "b"],
        ["only the condition has all axes", "abc", "a", "ac"],
        ["yes and no are scalars", "abc", "", ""],
        ["the condition is a scalar", "", "ab", "b"],
        ["three scalars", "", "", ""],
      ] as const
    ).map(
      ([name, condition, yes, no]): Case => ({
        name,
        lengths,
        large,
        build: (make) =>
          build.where(
            make.truths("condition", axes(make, condition)),
            make.float("yes", axes(make, yes)),
            make.float("no", axes(make, no)),
          ),
      }),
    ),
    {
      name: "whole numbers",
      lengths,
      forwardOnly: true,
      build: (make) =>
        build.where(truths(make, "condition", "ab"), smallIds(make, "yes", "b"), smallIds(make, "no", "ab")),
    },
  ],
  cast: [
    {
      name: "to numbers",
      lengths,
      large,
      build: (make) => {
        const x = make.float("x", axes(make, "abc"));
        const ids = build.cast(smallIds(make, "ids", "bc"), "float32");
        return [
          build.cast(x, "float32"),
          build.multiply(x, ids),
          build.cast(truths(make, "truths", "a"), "float32"),
        ];
      },
    },
    {
      name: "to whole numbers and truth values",
      lengths,
      large,
      forwardOnly: true,
      build: (make) => {
        const x = make.float("x", axes(make, "abc"), (random) => 3 * random.normal());
        const ids = smallIds(make, "ids", "abc");
        return [
          build.cast(x, "int32"),
          build.cast(ids, "bool"),
          build.cast(truths(make, "truths", "a"), "int32"),
        ];
      },
    },
    {
      name: "through whole numbers no gradient flows",
      lengths,
      build: (make) => {
        const x = make.float("x", axes(make, "ab"), (random) => random.below(5) - 1.7);
        return build.multiply(x, build.cast(build.cast(x, "int32"), "float32"));
      },
    },
  ],
} satisfies Record<string, readonly Case[]>;
