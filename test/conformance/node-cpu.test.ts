import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { runOnDevice, tolerances } from "./check.ts";
import { checks } from "./checks.ts";

/** Gradients are run so often, with ids that repeat, to find sums that depend on how threads happen to meet. */
const gradientRuns = 20;

describe.each([1, 2])("Node's CPU, threads: %i", (threads) => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads });
  });
  afterAll(() => device.dispose());

  test.each(checks)("$name", async ({ kind, size, prepare }) => {
    const { problem, expected } = prepare();
    const outcome = await runOnDevice(device, problem, expected, kind === "gradient" ? gradientRuns : 2);
    if (outcome.status === "refused") expect.fail(outcome.reason);
    expect(outcome.error, outcome.where).toBeLessThan(tolerances[size]);
  });
});
