import { afterAll, beforeAll, describe, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared } from "../shared.ts";
import { compareGolden } from "./family-goldens.ts";

describe.skipIf(!hasShared)(`DistilBERT${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test.each([
    "maskedlm",
    "seqcls",
    "tokencls",
  ])("%s: every hidden state, attention, score and loss", async (name) => {
    await compareGolden(device, `distilbert/${name}`);
  });
});
