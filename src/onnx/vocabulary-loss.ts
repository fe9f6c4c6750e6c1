import { productOfSizes, type Size } from "../graph/dims.ts";
import type { GraphNode, Tensor } from "../graph/tensor.ts";
import type { Emitter } from "./emitter.ts";
import { onnxTypes } from "./proto.ts";

/**
 * Lowers the vocabulary loss to a loop over blocks of the rows that count, so that the logits of one block are all
 * that exists at a time and rows of padding (or of tokens that nobody masked) cost nothing. With
 * p = softmax(x · Wᵀ + b), e the label smoothing, V the size of the vocabulary and m = 1 for rows that count, else 0:
 *
 *   loss        = m · (logsumexp - (1 - e) · (x · W[label] + b[label]) - e · mean(logits))
 *   at hidden   = m · (p · W - (1 - e) · W[label] - e · mean(W))
 *   at table    = pᵀ · (m · x) - e / V · sum(m · x), and -(1 - e) · m · x scattered by label
 *
 * Only p needs the logits; everything else is a row gathered from W or a mean of W. And logsumexp comes from what
 * softmax computed: the largest p is 1 / sum(exp(logits - largest logit)), so logsumexp = max(logits) - log(max(p)).
 */
export function emitVocabularyLoss(emitter: Emitter, node: GraphNode<"vocabularyLoss">): void {
  const [hidden, table, labels, bias] = node.inputs as [Tensor, Tensor, Tensor, Tensor?];
  const [loss, atHidden, atTable, atBias, labelRows, labelWeights] = node.outputs as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const { labelSmoothing, ignoreId, rowsPerBlock } = node.attributes;
  const wantsHidden = emitter.isUsed(atHidden);
  const wantsTable = emitter.isUsed(atTable);
  const wantsBias = bias !== undefined && emitter.isUsed(atBias);

  const rows: Size = productOfSizes(labels.dims.map((axis) => axis.size));
  const [vocab, model] = table.dims.map((axis) => axis.size) as [Size, Size];
  const float = (value: number) => emitter.constant("float32", [value]);
  const node1 = (operator: string, ...inputs: string[]) => emitter.node(operator, inputs);
  const reduce = (operator: string, x: string, axis: number, keepdims: number) =>
    emitter.node(operator, [x, emitter.ints([axis])], { keepdims });

  const x = emitter.as(hidden, [rows, model]);
  const w = emitter.value(table);
  const label = emitter.as(labels, [rows]);
  const b = bias === undefined ? undefined : emitter.value(bias);
  const counts = node1("Not", node1("Equal", label, emitter.constant("int32", [ignoreId])));
  const safeLabel = node1("Where", counts, label, emitter.constant("int32", [0]));
  const mask = node1("Unsqueeze", emitter.node("Cast", [counts], { to: 1 }), emitter.ints([1])); // [rows, 1]
  const maskedX = node1("Mul", x, mask);
  const labelRow = emitter.node("Gather", [w, safeLabel], { axis: 0 }); // [rows, model]

  // The rows that count, one after another, and where each stands among them.
  const keptX = emitter.node("Compress", [x, counts], { axis: 0 });
  const countsAsInteger = emitter.node("Cast", [counts], { to: onnxTypes.int32 });
  const place = node1(
    "Max",
    node1("Sub", node1("CumSum", countsAsInteger, emitter.ints([0], [])), emitter.constant("int32", [1])),
    emitter.constant("int32", [0]),
  );
  const keptCount = emitter.node("Shape", [keptX], { start: 0, end: 1 });

  // Blocks of equal size: ceil(rows / rowsPerBlock) of them, the last padded with rows of zeros.
  const one = emitter.ints([1]);
  const ceilDivide = (a: string, b: string) => node1("Div", node1("Add", a, node1("Sub", b, one)), b);
  const blocks = node1("Max", ceilDivide(keptCount, emitter.ints([rowsPerBlock])), one);
  const blockRows = node1("Max", ceilDivide(keptCount, blocks), one);
  const missing = node1("Sub", node1("Mul", blocks, blockRows), keptCount);
  const padding = emitter.node("Concat", [emitter.ints([0, 0]), missing, emitter.ints([0])], { axis: 0 });
  const blocked = (value: string, width: Size) =>
    node1(
      "Reshape",
      node1("Pad", value, padding),
      emitter.node("Concat", [blocks, blockRows, emitter.length(width)], { axis: 0 }),
    );
  const xBlocks = blocked(keptX, model);
  // Turned once for all blocks: the engine's product turns a factor again for each strip of the other.
  const turnedXBlocks = wantsTable ? emitter.node("Transpose", [xBlocks], { perm: [0, 2, 1] }) : undefined;
  const maskBlocks = wantsBias
    ? blocked(emitter.node("Compress", [mask, counts], { axis: 0 }), 1)
    : undefined;

  const smoothingShare = typeof vocab === "number" ? labelSmoothing / vocab : Number.NaN;
  const startOf = (value: string, shape: readonly Size[], byColumns = false) => {
    const sum = node1("Mul", node1("MatMul", emitter.ones(rows), value), float(-smoothingShare));
    const row = byColumns ? node1("Reshape", sum, emitter.shape([model, 1])) : sum;
    return node1("Expand", row, emitter.lengths(shape));
  };

  const carried: { start: string; inside: string; result: string; shape: readonly Size[] }[] = [];
  const carry = (start: string, shape: readonly Size[]) => {
    const item = { start, inside: emitter.newName("carried"), result: "", shape };
    carried.push(item);
    return item;
  };
  // The table's gradient is added up as [model, vocab]: the engine is faster with few long rows than with many.
  const tableSum = wantsTable ? carry(startOf(maskedX, [model, vocab], true), [model, vocab]) : undefined;
  const biasSum = wantsBias ? carry(startOf(mask, [vocab, 1]), [vocab, 1]) : undefined;

  const scanned: { name: string; shape: readonly Size[] }[] = [];
  const body = emitter.subgraph(() => {
    const iteration = emitter.newName("block");
    const going = emitter.newName("going");
    const xBlock = emitter.node("Gather", [xBlocks, iteration], { axis: 0 });
    const gemm = (a: string, b: string, transA: number, transB: number, c?: string) =>
      emitter.node("Gemm", c === undefined ? [a, b] : [a, b, c], { transA, transB });
    const logits = gemm(xBlock, w, 0, 1, b);
    const p = emitter.node("Softmax", [logits], { axis: 1 });
    const logSumExp = node1(
      "Sub",
      reduce("ReduceMax", logits, 1, 1),
      node1("Log", reduce("ReduceMax", p, 1, 1)),
    );
    scanned.push({ name: logSumExp, shape: ["rows of a block", 1] });
    if (wantsHidden) scanned.push({ name: gemm(p, w, 0, 0), shape: ["rows of a block", model] });
    // Rows of zeros add nothing to the table's gradient.
    if (tableSum !== undefined) {
      const turned = emitter.node("Gather", [turnedXBlocks!, iteration], { axis: 0 });
      tableSum.result = gemm(turned, p, 0, 0, tableSum.inside);
    }
    if (biasSum !== undefined) {
      const maskBlock = emitter.node("Gather", [maskBlocks!, iteration], { axis: 0 });
      biasSum.result = gemm(p, maskBlock, 1, 0, biasSum.inside);
    }
    const stillGoing = node1("Identity", going);
    return {
      name: "vocabularyLossOfABlock",
      inputs: [
        { name: iteration, type: "int64", shape: [] },
        { name: going, type: "bool", shape: [] },
        ...carried.map((item) => ({ name: item.inside, type: "float32" as const, shape: item.shape })),
      ],
      outputs: [
        { name: stillGoing, type: "bool", shape: [] },
        ...carried.map((item) => ({ name: item.result, type: "float32" as const, shape: item.shape })),
        ...scanned.map((item) => ({ name: item.name, type: "float32" as const, shape: item.shape })),
      ],
    };
  });
  const trips = node1("Squeeze", blocks, emitter.ints([0]));
  const results = emitter.nodeWith(
    carried.length + scanned.length,
    "Loop",
    [trips, emitter.constant("bool", [1]), ...carried.map((item) => item.start)],
    { body },
  );

  /** What was computed for the rows that count, for all rows; the others get anything. */
  const unblocked = (value: string, width: Size) => {
    const kept = node1("Reshape", value, emitter.shape([-1, width].map((size) => size as Size)));
    return emitter.node("Gather", [kept, place], { axis: 0 });
  };
  let next = carried.length;
  const logSumExp = unblocked(results[next++]!, 1); // [rows, 1]

  let labelLogit = reduce("ReduceSum", node1("Mul", x, labelRow), 1, 1);
  if (b !== undefined) {
    const labelBias = emitter.node("Gather", [b, safeLabel], { axis: 0 });
    labelLogit = node1("Add", labelLogit, node1("Unsqueeze", labelBias, emitter.ints([1])));
  }
  let rowLoss = node1("Sub", logSumExp, node1("Mul", labelLogit, float(1 - labelSmoothing)));
  let meanRow: string | undefined;
  if (labelSmoothing > 0) {
    meanRow = node1("Mul", reduce("ReduceMean", w, 0, 1), float(labelSmoothing)); // [1, model]
    let meanLogit = emitter.node("Gemm", [x, meanRow], { transB: 1 });
    if (b !== undefined) {
      meanLogit = node1("Add", meanLogit, node1("Mul", reduce("ReduceMean", b, 0, 0), float(labelSmoothing)));
    }
    rowLoss = node1("Sub", rowLoss, meanLogit);
  }
  // Rows that do not count are cut out rather than multiplied away: 0 times infinity would be no number.
  const kept = node1("Where", node1("Unsqueeze", counts, emitter.ints([1])), rowLoss, float(0));
  emitter.place(loss, emitter.node("ReduceSum", [kept, emitter.ints([0, 1])], { keepdims: 0 }));

  if (wantsHidden) {
    const expected = unblocked(results[next++]!, model);
    let gradient = node1("Sub", expected, node1("Mul", labelRow, float(1 - labelSmoothing)));
    if (meanRow !== undefined) gradient = node1("Sub", gradient, meanRow);
    emitter.place(atHidden, node1("Mul", gradient, mask), [rows, model]);
  }
  if (tableSum !== undefined) {
    emitter.place(
      atTable,
      emitter.node("Transpose", [results[carried.indexOf(tableSum)]!], { perm: [1, 0] }),
    );
  }
  if (biasSum !== undefined) emitter.place(atBias, results[carried.indexOf(biasSum)]!, [vocab, 1]);
  if (emitter.isUsed(labelRows)) {
    emitter.place(labelRows, node1("Mul", maskedX, float(labelSmoothing - 1)), [rows, model]);
  }
  if (emitter.isUsed(labelWeights)) {
    emitter.place(labelWeights, node1("Mul", mask, float(labelSmoothing - 1)), [rows, 1]);
  }
}
