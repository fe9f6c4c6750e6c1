import { expect, test } from "vitest";
import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { OperatorName } from "../../../src/graph/operators.ts";
import { scope } from "../../../src/graph/scope.ts";
import type { DType } from "../../../src/graph/tensor.ts";
import { QkvError } from "../../../src/util/errors.ts";

/** `a b=2`: an input with such axes. */
function x(dims = "", dtype: DType = "float32") {
  const axes = dims.split(" ").filter((axis) => axis !== "");
  return build.input("x", axes.map(dimOf), dtype);
}

function dimOf(text: string) {
  const [name, size] = text.split("=") as [string, string?];
  return dim(name, size === undefined ? name : /^\d+$/.test(size) ? Number(size) : size);
}

const lossOptions = { labelSmoothing: 0, ignoreId: 0 };
const unary = (compute: (operand: ReturnType<typeof x>) => unknown) => [() => compute(x("a", "int32"))];
const binary = (operator: "add" | "subtract" | "multiply" | "divide" | "geluGradient") => {
  const attributes = { approximation: "none" } as never;
  return [
    () => build.apply(operator, [x("a")], attributes),
    () => build.apply(operator, [x("a", "int32"), x("a")], attributes),
    () => build.apply(operator, [x("a"), x("a", "bool")], attributes),
    () => build.apply(operator, [x("a"), x("b")], attributes),
    () => build.apply(operator, [x("a b"), x("b a")], attributes),
    () => build.apply(operator, [x("a=2"), x("a=3")], attributes),
  ];
};

/** What goes wrong with each operator, where something can. */
const mistakes = {
  parameter: [() => build.parameter("weight", [dim("a"), dim("a")])],
  input: [() => x("a a=2")],
  constant: [() => build.constant([1, 2], [dim("a", 3)]), () => build.constant([1], [dim("a")])],
  range: [],
  dropoutMask: [() => build.dropoutMask("mask", 0.1, [dim("a"), dim("a")])],
  negate: unary(build.negate),
  exp: unary(build.exp),
  log: unary(build.log),
  sqrt: unary(build.sqrt),
  reciprocal: unary(build.reciprocal),
  tanh: unary(build.tanh),
  erf: unary(build.erf),
  sigmoid: unary(build.sigmoid),
  relu: unary(build.relu),
  gelu: unary(build.gelu),
  geluGradient: binary("geluGradient"),
  positive: unary(build.positive),
  add: binary("add"),
  subtract: binary("subtract"),
  multiply: binary("multiply"),
  divide: binary("divide"),
  lessOrEqual: [
    () => build.lessOrEqual(x("a"), x("a", "int32")),
    () => build.lessOrEqual(x("a", "int32"), x("b", "int32")),
  ],
  equal: [() => build.equal(x("a"), x("a")), () => build.equal(x("a", "int32"), x("b", "int32"))],
  and: [() => build.and(x("a", "bool"), x("a", "int32")), () => build.and(x("a", "bool"), x("b", "bool"))],
  not: [() => build.not(x("a"))],
  where: [
    () => build.where(x("a"), 1, 0),
    () => build.where(x("a", "bool"), x("a"), x("a", "int32")),
    () => build.where(x("a", "bool"), x("b"), 0),
    () => build.where(x("a", "bool"), x("a=2"), x("a")),
  ],
  cast: [() => build.apply("cast", [], { dtype: "int32" })],
  after: [() => build.apply("after", [x("a")], {})],
  sum: [() => build.sum(x("a"), ["b"]), () => build.sum(x("a", "int32"), ["a"])],
  mean: [() => build.mean(x("a"), ["b"])],
  max: [() => build.max(x("a"), ["b"])],
  softmax: [() => build.softmax(x("a b"), "c"), () => build.softmax(x("a", "bool"), "a")],
  softmaxGradient: [
    () => build.softmaxGradient(x("a b"), x("b a"), "a"),
    () => build.softmaxGradient(x("a"), x("a", "int32"), "a"),
  ],
  layerNorm: [
    () => build.layerNormOutputs(x("a b=4"), x("a"), x("b=4"), 1e-5),
    () => build.layerNormOutputs(x("a b=4"), x("b=4"), x("b=3"), 1e-5),
    () => build.layerNormOutputs(x(), x("b=4"), x("b=4"), 1e-5),
  ],
  topK: [() => build.topK(x("a"), "b", 2), () => build.topK(x("a b"), "a", 2, "b")],
  contract: [
    () => build.contract(x("a k"), x("b k"), "c"),
    () => build.contract(x("a k"), x("b"), "k"),
    () => build.contract(x("a k=2"), x("b k=3"), "k"),
    () => build.contract(x("n a"), x("n=3 k"), []),
    () => build.contract(x("a k"), x("b k", "int32"), "k"),
  ],
  embed: [
    () => build.embed(x("row width"), x("a")),
    () => build.embed(x("row"), x("a", "int32")),
    () => build.embed(x("row width"), x("width", "int32")),
  ],
  scatterRows: [
    () => build.scatterRows(x("a", "int32"), x("b width"), dim("row", 5)),
    () => build.scatterRows(x("a", "int32"), x("a b width"), dim("row", 5)),
    () => build.scatterRows(x("a", "int32"), x("a row"), dim("row", 5)),
  ],
  vocabularyLoss: [
    () => build.vocabularyLoss(x("a model"), x("vocab=9 other"), x("a", "int32"), undefined, lossOptions),
    () => build.vocabularyLoss(x("a model"), x("vocab model"), x("a", "int32"), undefined, lossOptions),
    () => build.vocabularyLoss(x("a model"), x("vocab=9 model"), x("b", "int32"), undefined, lossOptions),
    () => build.vocabularyLoss(x("a model"), x("vocab=9 model"), x("a"), undefined, lossOptions),
    () => build.vocabularyLoss(x("a model"), x("vocab=9 model"), x("a", "int32"), x("vocab=8"), lossOptions),
    () => build.vocabularyLoss(x(), x("vocab=9 model"), x("a", "int32"), undefined, lossOptions),
  ],
  transpose: [
    () => build.transpose(x("a b"), ["a"]),
    () => build.transpose(x("a b"), ["a", "c"]),
    () => build.transpose(x("a b"), ["a", "a"]),
  ],
  splitDim: [
    () => build.splitDim(x("a=6"), "b", [dim("c", 6)]),
    () => build.splitDim(x("a=6"), "a", [dim("b", 4), dim("c", 2)]),
    () => build.splitDim(x("a=6 b"), "a", [dim("b", 3), dim("c", 2)]),
  ],
  mergeDims: [
    () => build.mergeDims(x("a b c"), ["a", "c"], "ac"),
    () => build.mergeDims(x("a b c"), ["b", "a"], "ba"),
    () => build.mergeDims(x("a b c"), ["d", "a"], "da"),
    () => build.mergeDims(x("a b c"), ["a", "b"], "c"),
  ],
  rename: [() => build.rename(x("a b"), { c: "d" }), () => build.rename(x("a b"), { a: "b" })],
  expand: [
    () => build.expand(x("a b"), [dim("b"), dim("a")]),
    () => build.expand(x("a b"), [dim("a")]),
    () => build.expand(x("a=2"), [dim("a", 3), dim("b")]),
  ],
  slice: [
    () => build.slice(x("a"), "b", 0, 1, dim("b", 1)),
    () => build.slice(x("a b"), "a", 0, 1, dim("b", 1)),
  ],
  concat: [
    () => build.concat([], "a"),
    () => build.concat([x("a b"), x("a")], "a"),
    () => build.concat([x("a b"), x("a c")], "a"),
    () => build.concat([x("a b"), x("a b", "int32")], "a"),
    () => build.concat([x("a b")], "c"),
  ],
  split: [
    () => build.split(x("a=6"), "b", [dim("c", 6)]),
    () => build.split(x("a=6"), "a", [dim("c", 3), dim("d", 2)]),
    () => build.split(x("a=6 b"), "a", [dim("b", 6)]),
  ],
} satisfies { [Name in OperatorName]: readonly (() => unknown)[] };

function messageOf(mistake: () => unknown): string {
  try {
    mistake();
  } catch (error) {
    expect(error).toBeInstanceOf(QkvError);
    expect((error as QkvError).code).toBe("shape");
    return (error as QkvError).message;
  }
  return expect.fail(`nothing was said of ${mistake}`);
}

/** What is said of each mistake, without the operator's name at the beginning. */
function messagesOf(...operators: OperatorName[]): string {
  const lines = operators.flatMap((name) => [
    `${name}:`,
    ...mistakes[name].map((mistake) => {
      const message = messageOf(mistake);
      const beginning = `graph: ${name}: `;
      expect(message.startsWith(beginning), message).toBe(true);
      return `  ${message.slice(beginning.length)}`;
    }),
  ]);
  return `\n${lines.join("\n")}\n`;
}

test("sources", () => {
  expect(messagesOf("parameter", "input", "constant", "dropoutMask")).toMatchInlineSnapshot(`
    "
    parameter:
      the names of axes must differ; got [a, a]
    input:
      the names of axes must differ; got [a, a=2]
    constant:
      a constant has a value for each of its elements, not 2 values; got [a=3]
      a constant has a value for each of its elements, not 1 values; got [a]
    dropoutMask:
      the names of axes must differ; got [a, a]
    "
  `);
});

test("functions of one operand", () => {
  const operators = [
    "negate",
    "exp",
    "log",
    "sqrt",
    "reciprocal",
    "tanh",
    "erf",
    "sigmoid",
    "relu",
    "gelu",
  ] as const;
  expect(messagesOf(...operators, "positive", "not", "cast")).toMatchInlineSnapshot(`
    "
    negate:
      input 0 must be float32; got int32
    exp:
      input 0 must be float32; got int32
    log:
      input 0 must be float32; got int32
    sqrt:
      input 0 must be float32; got int32
    reciprocal:
      input 0 must be float32; got int32
    tanh:
      input 0 must be float32; got int32
    erf:
      input 0 must be float32; got int32
    sigmoid:
      input 0 must be float32; got int32
    relu:
      input 0 must be float32; got int32
    gelu:
      input 0 must be float32; got int32
    positive:
      input 0 must be float32; got int32
    not:
      input 0 must be bool; got float32
    cast:
      needs input 0
    "
  `);
});

test("functions of two operands", () => {
  expect(messagesOf("add")).toMatchInlineSnapshot(`
    "
    add:
      needs input 1
      input 0 must be float32; got int32
      input 1 must be float32; got bool
      one operand must have every axis of the other, in the same order (use expand); got [a] and [b]
      one operand must have every axis of the other, in the same order (use expand); got [a, b] and [b, a]
      axis "a" differs in size; got [a=2] and [a=3]
    "
  `);
  for (const operator of ["subtract", "multiply", "divide", "geluGradient"] as const) {
    expect(messagesOf(operator)).toBe(messagesOf("add").replace("add:", `${operator}:`));
  }
});

test("comparisons and choices", () => {
  expect(messagesOf("lessOrEqual", "equal", "and", "where")).toMatchInlineSnapshot(`
    "
    lessOrEqual:
      input 0 must be int32; got float32
      one operand must have every axis of the other, in the same order (use expand); got [a] and [b]
    equal:
      input 0 must be int32; got float32
      one operand must have every axis of the other, in the same order (use expand); got [a] and [b]
    and:
      input 1 must be bool; got int32
      one operand must have every axis of the other, in the same order (use expand); got [a] and [b]
    where:
      input 0 must be bool; got float32
      input 2 must be float32; got int32
      one operand must have every axis of the other, in the same order (use expand); got [a] and [b]
      axis "a" differs in size; got [a=2] and [a]
    "
  `);
});

test("along axes", () => {
  expect(
    messagesOf("sum", "mean", "max", "softmax", "softmaxGradient", "layerNorm", "topK"),
  ).toMatchInlineSnapshot(`
    "
    sum:
      needs an axis "b"; got [a]
      input 0 must be float32; got int32
    mean:
      needs an axis "b"; got [a]
    max:
      needs an axis "b"; got [a]
    softmax:
      needs an axis "c"; got [a, b]
      input 0 must be float32; got bool
    softmaxGradient:
      both must have the same axes; got [a, b] and [b, a]
      input 1 must be float32; got int32
    layerNorm:
      normalises the last axis "a", as long as gain and bias; got [a, b=4] and [a]
      normalises the last axis "b", as long as gain and bias; got [a, b=4] and [b=3]
      normalises the last axis "b", as long as gain and bias; got [] and [b=4]
    topK:
      needs an axis "b"; got [a]
      the names of axes must differ; got [b=2, b]
    "
  `);
});

test("products", () => {
  expect(messagesOf("contract")).toMatchInlineSnapshot(`
    "
    contract:
      needs an axis "c"; got [a, k]
      needs an axis "k"; got [b]
      axis "k" differs in size; got [a, k=2] and [b, k=3]
      axis "n" differs in size; got [n, a] and [n=3, k]
      input 1 must be float32; got int32
    "
  `);
});

test("rows of a table", () => {
  expect(messagesOf("embed", "scatterRows", "vocabularyLoss")).toMatchInlineSnapshot(`
    "
    embed:
      input 1 must be int32; got float32
      a table has two axes; got [row]
      the names of axes must differ; got [width, width]
    scatterRows:
      needs one row for each id; got [a] and [b, width]
      needs one row for each id; got [a] and [a, b, width]
      the names of axes must differ; got [row=5, row]
    vocabularyLoss:
      the table must be [vocab, model], model the last axis of hidden; got [vocab=9, other] and [a, model]
      the vocabulary must have a fixed size; got [vocab, model]
      needs one label for each row; got [b] and [a, model]
      input 2 must be int32; got float32
      the bias must be [vocab]; got [vocab=8] and [vocab=9, model]
      the table must be [vocab, model], model the last axis of hidden; got [vocab=9, model] and []
    "
  `);
});

test("form", () => {
  const operators = [
    "transpose",
    "splitDim",
    "mergeDims",
    "rename",
    "expand",
    "slice",
    "concat",
    "split",
  ] as const;
  expect(messagesOf(...operators)).toMatchInlineSnapshot(`
    "
    transpose:
      the order a must name every axis once; got [a, b]
      needs an axis "c"; got [a, b]
      the names of axes must differ; got [a, a]
    splitDim:
      needs an axis "b"; got [a=6]
      axis "a" must be as long as the product of its parts; got [a=6] and [b=4, c=2]
      the names of axes must differ; got [b=3, c=2, b]
    mergeDims:
      the axes a, c must lie side by side; got [a, b, c]
      the axes b, a must lie side by side; got [a, b, c]
      needs an axis "d"; got [a, b, c]
      the names of axes must differ; got [c=a*b, c]
    rename:
      needs an axis "c"; got [a, b]
      the names of axes must differ; got [b=a, b]
    expand:
      one operand must have every axis of the other, in the same order (use expand); got [b, a] and [a, b]
      can only add axes; got [a, b] and [a]
      axis "a" differs in size; got [a=3, b] and [a=2]
    slice:
      needs an axis "b"; got [a]
      the names of axes must differ; got [b=1, b]
    concat:
      needs input 0
      all axes but "a" must be the same; got [a, b] and [a]
      all axes but "a" must be the same; got [a, b] and [a, c]
      input 1 must be float32; got int32
      needs an axis "c"; got [a, b]
    split:
      needs an axis "b"; got [a=6]
      axis "a" must be as long as its parts together; got [a=6] and [c=3, d=2]
      the names of axes must differ; got [b=6, b]
    "
  `);
});

test("an error names the layer", () => {
  const mistake = () =>
    scope("encoder", () =>
      scope("layers", () => scope(3, () => build.add(x("batch model=4"), x("model=5")))),
    );
  expect(mistake).toThrowErrorMatchingInlineSnapshot(
    `[QkvError: encoder.layers.3: add: axis "model" differs in size; got [batch, model=4] and [model=5]]`,
  );
});
