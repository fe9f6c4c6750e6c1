import { afterAll, beforeAll, describe, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared } from "../shared.ts";
import { compareGolden } from "./family-goldens.ts";

describe.skipIf(!hasShared)(`BERT${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test.each([
    "base",
    "maskedlm",
    "seqcls",
    "tokencls",
    "qa",
  ])("%s: every hidden state, attention, score and loss", async (name) => {
    await compareGolden(device, `bert/${name}`);
  });

  test("older names of norms, and tensors that only pre-training needs", async () => {
    await compareGolden(device, "bert/hub_names");
  });
});
