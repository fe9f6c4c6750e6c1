import { expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradients.ts";
import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { printGraph } from "../../../src/graph/print.ts";
import { attend, causalMask } from "../../../src/nn/attention.ts";
import { linear } from "../../../src/nn/layers.ts";

test("attention with a causal mask", () => {
  const heads = [dim("batch"), dim("head", 2)];
  const ofKey = [...heads, dim("key", "sequence"), dim("headDim", 4)];
  const queries = build.input("queries", [...heads, dim("query", "sequence"), dim("headDim", 4)]);
  const keysAndValues = { keys: build.input("keys", ofKey), values: build.input("values", ofKey) };
  const present = build.input("present", [dim("batch"), dim("sequence")], "bool");
  const context = attend(queries, keysAndValues, causalMask(present), 0.1);
  expect(`\n${printGraph({ context })}\n`).toMatchInlineSnapshot(`
    "
    %0 [batch, head=2, query=sequence, headDim=4] = input(name=queries)
    %1 [batch, head=2, key=sequence, headDim=4] = input(name=keys)
    %2 [batch, head=2, query=sequence, key=sequence] = contract(%0, %1; over=headDim, scale=0.5)
    %3 int32 [key=sequence] = range(dim=key=sequence)
    %4 int32 [query=sequence, key=sequence] = expand(%3)
    %5 int32 [query=sequence] = range(dim=query=sequence)
    %6 int32 [query=sequence, key=sequence] = expand(%5)
    %7 bool [query=sequence, key=sequence] = lessOrEqual(%4, %6)
    %8 bool [batch, query=sequence, key=sequence] = expand(%7)
    %9 bool [batch, sequence] = input(name=present)
    %10 bool [batch, key=sequence] = rename(%9; names=sequence→key)
    %11 bool [batch, query=sequence, key=sequence] = expand(%10)
    %12 bool [batch, query=sequence, key=sequence] = and(%8, %11)
    %13 [] = constant(values=0)
    %14 [] = constant(values=-1000000000)
    %15 [batch, query=sequence, key=sequence] = where(%12, %13, %14)
    %16 [batch, head=2, query=sequence, key=sequence] = add(%2, %15)
    %17 [batch, head=2, query=sequence, key=sequence] = softmax(%16; axis=key)
    %18 [batch, head=2, query=sequence, key=sequence] = dropoutMask(address=weightsDropout, rate=0.1)
    %19 [batch, head=2, query=sequence, key=sequence] = multiply(%17, %18)
    %20 [batch, head=2, key=sequence, headDim=4] = input(name=values)
    %21 [batch, head=2, query=sequence, headDim=4] = contract(%19, %20; over=key, scale=1)
    return context = %21
    "
  `);
});

test("a linear layer, its loss and its gradients", () => {
  const x = build.input("x", [dim("batch"), dim("inputs", 3)]);
  const weight = build.parameter("weight", [dim("outputs", 2), dim("inputs", 3)]);
  const bias = build.parameter("bias", [dim("outputs", 2)]);
  const y = linear({ weight, bias }, x);
  const loss = build.sum(build.multiply(y, y), ["batch", "outputs"]);
  const [atWeight, atBias] = gradients(loss, [weight, bias]);
  expect(`\n${printGraph({ loss, weight: atWeight!, bias: atBias! })}\n`).toMatchInlineSnapshot(`
    "
    %0 [batch, inputs=3] = input(name=x)
    %1 [outputs=2, inputs=3] = parameter(address=weight)
    %2 [batch, outputs=2] = contract(%0, %1; over=inputs, scale=1)
    %3 [outputs=2] = parameter(address=bias)
    %4 [batch, outputs=2] = add(%2, %3)
    %5 [batch, outputs=2] = multiply(%4, %4)
    %6 [] = sum(%5; axes=batch·outputs)
    %7 [] = constant(values=1)
    %8 [batch, outputs=2] = expand(%7)   # gradient
    %9 [batch, outputs=2] = multiply(%8, %4)   # gradient
    %10 [batch, outputs=2] = multiply(%8, %4)   # gradient
    %11 [batch, outputs=2] = add(%9, %10)
    %12 [outputs=2, inputs=3] = contract(%11, %0; over=batch, scale=1)   # gradient
    %13 [outputs=2] = sum(%11; axes=batch)   # gradient
    return loss = %6
    return weight = %12
    return bias = %13
    "
  `);
});

test("values of several outputs, other types, and long constants", () => {
  const table = build.constant(new Float32Array(40), [dim("row", 10), dim("width", 4)]);
  const ids = build.input("ids", [dim("batch")], "int32");
  const [best, places] = build.topK(build.embed(table, ids), "width", 2, "best");
  const last = build.slice(best, "best", -1, undefined, dim("one", 1));
  const renamed = build.rename(build.cast(places, "float32"), { best: "rank" });
  const truths = build.constant([1, 0], [dim("pair", 2)], "bool");
  expect(`\n${printGraph({ last, renamed, truths })}\n`).toMatchInlineSnapshot(`
    "
    %0 [row=10, width=4] = constant(values=...)
    %1 int32 [batch] = input(name=ids)
    %2 [batch, width=4] = embed(%0, %1)
    %3 [batch, best=2], %4 int32 [batch, best=2] = topK(%2; axis=width, into=best=2)
    %5 [batch, one=1] = slice(%3; axis=best, start=-1, end=undefined, into=one=1)
    %6 [batch, best=2] = cast(%4)
    %7 [batch, rank=2] = rename(%6; names=best→rank)
    %8 bool [pair=2] = constant(values=1·0)
    return last = %5
    return renamed = %7
    return truths = %8
    "
  `);
});
