import { afterAll, beforeAll, describe, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared } from "../shared.ts";
import { compareGolden } from "./family-goldens.ts";

describe.skipIf(!hasShared)(`GPT-2${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test("every hidden state, attention, score and loss", async () => {
    await compareGolden(device, "gpt2/lm");
  });

  test.each(["hub_names", "f16_sharded"])("the checkpoint %s", async (name) => {
    await compareGolden(device, `gpt2/${name}`);
  });
});
