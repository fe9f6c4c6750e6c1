import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared } from "../shared.ts";
import { compareGolden } from "./family-goldens.ts";
import { compareGenerationRuns } from "./sequence-to-sequence-goldens.ts";

describe.skipIf(!hasShared)(`Marian${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  describe.each(["marian"])("%s", (name) => {
    test("every hidden state, attention, score and loss", async () => {
      await compareGolden(device, name);
    });

    test("everything that is generated, and the scores of beams", async () => {
      expect(await compareGenerationRuns(device, `goldens/${name}`)).toBe(14);
    });
  });
});
