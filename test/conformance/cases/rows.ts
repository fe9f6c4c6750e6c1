import * as build from "../../../src/graph/build.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { Case, CaseBuilder, normal } from "../case.ts";

const lengths = { a: 2, b: 3, rows: 4, width: 3 };
const large = { a: 60, b: 50, rows: 20, width: 48 };
const axes = (make: CaseBuilder, names: string) => [...names].map((name) => make.axis(name));
const table = (make: CaseBuilder): Tensor =>
  make.parameter("table", [make.fixed("rows"), make.fixed("width")]);

/** Ids of which many are the same and some, on either side, outside a table of so many rows. */
const straying = (make: CaseBuilder, names: string): Tensor =>
  make.ids("ids", axes(make, names), make.length("rows") + 2, -2);

const scattered = (make: CaseBuilder, names: string): Tensor => {
  const rows = make.weights("values", [...axes(make, names), make.fixed("width")]);
  return build.scatterRows(straying(make, names), rows, make.fixed("rows"));
};

const rowCases = {
  embed: [
    ...["ab", "a", ""].map(
      (names): Case => ({
        name: `ids [${[...names]}]`,
        lengths,
        large,
        build: (make) => build.embed(table(make), make.ids("ids", axes(make, names), make.length("rows"))),
      }),
    ),
    {
      name: "one table used three ways",
      lengths,
      large,
      build: (make: CaseBuilder) => {
        const shared = table(make);
        const first = build.embed(shared, make.ids("first", axes(make, "ab"), make.length("rows")));
        const second = build.embed(shared, make.ids("second", axes(make, "ab"), make.length("rows")));
        return [build.multiply(first, second), build.contract(first, shared, "width"), build.exp(shared)];
      },
    },
    {
      name: "a table that is computed",
      lengths,
      large,
      build: (make: CaseBuilder) =>
        build.embed(build.tanh(table(make)), make.ids("ids", axes(make, "ab"), make.length("rows"))),
    },
    {
      name: "positions of an axis",
      lengths,
      large: { ...large, rows: 60 },
      build: (make: CaseBuilder) => {
        const short = Math.min(make.length("a"), make.length("rows"));
        return build.embed(table(make), build.range({ name: "place", size: short }));
      },
    },
  ],
  scatterRows: [
    ...["ab", "a", ""].map(
      (names): Case => ({
        name: `rows for ids [${[...names]}]`,
        lengths,
        large,
        build: (make) => scattered(make, names),
      }),
    ),
    ...["ab", "a", ""].map(
      (names): Case => ({
        name: `rows for ids [${[...names]}], used further`,
        lengths,
        large,
        build: (make) => build.tanh(scattered(make, names)),
      }),
    ),
    {
      name: "numbers, as they are and used further",
      lengths,
      large,
      build: (make: CaseBuilder) => {
        const ids = straying(make, "ab");
        const numbers = build.scatterRows(ids, make.weights("values", ids.dims), make.fixed("rows"));
        return [numbers, build.tanh(numbers)];
      },
    },
    {
      name: "added to other values, each of them an output too",
      lengths,
      large,
      build: (make: CaseBuilder) => {
        const rows = scattered(make, "ab");
        const dense = make.weights("dense", rows.dims);
        const more = build.exp(dense);
        return [
          build.add(dense, rows),
          dense,
          build.add(rows, more),
          build.add(build.add(more, rows), rows),
          more,
        ];
      },
    },
  ],
} satisfies Record<string, readonly Case[]>;

interface LossOptions {
  readonly names?: string;
  readonly labelSmoothing?: number;
  readonly bias?: boolean;
  readonly ignoreId?: number;
  readonly rowsPerBlock?: number;
}

/** Labels, about a quarter of them to be ignored. */
function someIgnored(make: CaseBuilder, names: string, ignoreId: number): Tensor {
  const vocab = make.length("rows");
  return make.whole("labels", axes(make, names), (random) =>
    random.below(4) === 0 ? ignoreId : random.below(vocab),
  );
}

/** Hidden states, a table, labels and maybe a bias. */
function lossOf(
  make: CaseBuilder,
  { names = "ab", labelSmoothing = 0, bias = false, ignoreId = 0, rowsPerBlock }: LossOptions,
): Tensor {
  const vocab = make.fixed("rows");
  const model = make.fixed("width");
  const hidden = make.float("hidden", [...axes(make, names), model]);
  const labels = someIgnored(make, names, ignoreId);
  return build.vocabularyLoss(
    hidden,
    make.parameter("table", [vocab, model]),
    labels,
    bias ? make.parameter("bias", [vocab]) : undefined,
    { labelSmoothing, ignoreId, ...(rowsPerBlock !== undefined && { rowsPerBlock }) },
  );
}

const loss = (name: string, options: LossOptions): Case => ({
  name,
  lengths: { a: 2, b: 4, rows: 5, width: 3 },
  large: { a: 20, b: 16, rows: 61, width: 24 },
  build: (make) => lossOf(make, options),
});

const lossCases: readonly Case[] = [
  loss("plain", { ignoreId: -1 }),
  loss("padding ignored", {}),
  loss("smoothed", { labelSmoothing: 0.1 }),
  loss("with a bias", { bias: true }),
  loss("smoothed, with a bias, in blocks of three rows", {
    labelSmoothing: 0.2,
    bias: true,
    rowsPerBlock: 3,
  }),
  loss("in blocks of one row", { labelSmoothing: 0.1, rowsPerBlock: 1 }),
  loss("labels of one axis", { names: "b", labelSmoothing: 0.1, bias: true, rowsPerBlock: 2 }),
  {
    name: "one row",
    lengths: { b: 1, rows: 5, width: 3 },
    build: (make) => lossOf(make, { names: "b", ignoreId: -1, labelSmoothing: 0.1 }),
  },
  {
    name: "every label ignored",
    lengths: { a: 2, b: 3, rows: 1, width: 3 },
    build: (make) => lossOf(make, { labelSmoothing: 0.1, bias: true }),
  },
  {
    name: "one of several uses of hidden, table and bias, all of them computed",
    lengths: { a: 2, b: 4, rows: 5, width: 3 },
    large: { a: 20, b: 16, rows: 61, width: 24 },
    build: (make) => {
      const [vocab, model] = [make.fixed("rows"), make.fixed("width")];
      const hidden = build.tanh(make.float("hidden", [...axes(make, "ab"), model]));
      const basis = make.float("basis", [model, vocab]);
      const table = build.transpose(basis, ["rows", "width"]);
      const bias = build.contract(make.float("direction", [model]), table, "width");
      const labels = someIgnored(make, "ab", 0);
      const options = { labelSmoothing: 0.1, ignoreId: 0, rowsPerBlock: 3 };
      const smoothed = build.vocabularyLoss(hidden, table, labels, bias, options);
      const plain = build.vocabularyLoss(hidden, table, labels, undefined, { ...options, labelSmoothing: 0 });
      return [build.multiply(smoothed, smoothed), plain, hidden, bias];
    },
  },
  {
    name: "all its outputs",
    lengths: { a: 2, b: 4, rows: 5, width: 3 },
    large: { a: 20, b: 16, rows: 61, width: 24 },
    forwardOnly: true,
    build: (make) => lossOf(make, { labelSmoothing: 0.1, bias: true, rowsPerBlock: 3 }).node.outputs,
  },
  {
    name: "very sure of itself",
    lengths: { a: 2, b: 4, rows: 5, width: 3 },
    build: (make) => {
      const [vocab, model] = [make.fixed("rows"), make.fixed("width")];
      const big = (random: Parameters<typeof normal>[0]) => 6 * random.normal();
      const hidden = make.float("hidden", [...axes(make, "ab"), model], big);
      const labels = someIgnored(make, "ab", -100);
      const options = { labelSmoothing: 0.1, ignoreId: -100 };
      return build.vocabularyLoss(
        hidden,
        make.parameter("table", [vocab, model], big),
        labels,
        undefined,
        options,
      );
    },
  },
];

export const tableCases = { ...rowCases, vocabularyLoss: lossCases } satisfies Record<
  string,
  readonly Case[]
>;
