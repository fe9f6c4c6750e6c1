/**
 * Every hidden state, attention, score and loss of models of all families against the reference's. Prints the table of
 * largest errors that docs/compatibility.md shows.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared } from "../shared.ts";
import { compareGolden, readFamilyGolden } from "./family-goldens.ts";

const references = [
  "bert/base",
  "bert/maskedlm",
  "bert/seqcls",
  "bert/tokencls",
  "bert/qa",
  // Older names of norms, and tensors that only pre-training needs.
  "bert/hub_names",
  "roberta/base",
  "roberta/maskedlm",
  "roberta/seqcls",
  "distilbert/maskedlm",
  "distilbert/seqcls",
  "distilbert/tokencls",
  "gpt2/lm",
  // No base in front of names, and masks among the weights; half precision in several files.
  "gpt2/hub_names",
  "gpt2/f16_sharded",
  "bart/plain",
  "bart/scaled",
  "marian",
  "t5/v1_0",
  "t5/v1_1",
];

describe.skipIf(!hasShared)(`families against Hugging Face's${needsShared}`, () => {
  let device: Device;
  const rows: string[] = [];
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(async () => {
    await device.dispose();
    console.log(["largest absolute error", ...rows].join("\n"));
  });

  test.each(references)("%s", async (name) => {
    const { architecture, tolerance, forward } = readFamilyGolden(name);
    const errors = await compareGolden(device, name);
    const all = Math.max(...errors.values());
    const kinds = [...errors].map(([kind, error]) => `${kind} ${error.toExponential(1)}`);
    rows.push(`${name} (${architecture}): ${all.toExponential(1)} of ${tolerance.atol}; ${kinds.join(", ")}`);
    expect(forward.length).toBeGreaterThan(0);
  });
});
