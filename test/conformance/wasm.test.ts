import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { defaultWasmThreads, openWasm } from "../../src/runtime/web/engine.ts";
import { QkvError } from "../../src/util/errors.ts";
import { runOnDevice, tolerances } from "./check.ts";
import { type Check, checks } from "./checks.ts";

async function run(device: Device, { size, prepare }: Check, runs: number): Promise<void> {
  const { problem, expected } = prepare();
  const outcome = await runOnDevice(device, problem, expected, runs);
  if (outcome.status === "refused") expect.fail(outcome.reason);
  expect(outcome.error, outcome.where).toBeLessThan(tolerances[size]);
}

describe("WebAssembly, threads: 1", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openWasm();
  });
  afterAll(() => device.dispose());

  test.each(checks)("$name", (check) => run(device, check, 1));

  test("says what it is", () => {
    expect(device.description).toMatch(/^onnxruntime-web \d+\.\d+\.\d+ \(wasm\), cpu, 1 thread$/);
  });

  test("has one number of threads in a process", async () => {
    await expect(openWasm({ threads: 3 })).rejects.toThrow(QkvError);
    await expect(openWasm({ threads: 3 })).rejects.toThrow("set once in a process, to 1; got 3");
  });
});

describe("WebAssembly, threads: 2", () => {
  let device: Device;
  beforeAll(async () => {
    // The build that runs on several threads under Node.js; in browsers the default does.
    device = await openWasm({ threads: 2, engine: await import("onnxruntime-web") });
  });
  afterAll(() => device.dispose());

  test.each(checks.filter(({ size, kind }) => size === "large" && kind === "gradient"))("$name", (check) =>
    run(device, check, 5));
});

test("the number of threads is one where memory cannot be shared, else one for each core, at most eight", () => {
  expect(defaultWasmThreads({})).toBe(1);
  expect(defaultWasmThreads({ navigator: { hardwareConcurrency: 4 } })).toBe(1);
  expect(defaultWasmThreads({ crossOriginIsolated: true, navigator: { hardwareConcurrency: 4 } })).toBe(4);
  expect(defaultWasmThreads({ crossOriginIsolated: true, navigator: { hardwareConcurrency: 32 } })).toBe(8);
});
