import { expect, test } from "vitest";
import { input, multiply } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";

test("what a program gave is collected when much of it waits, and no sooner", async () => {
  let collections = 0;
  const device = await openCpu({ threads: 1, collectGarbage: () => collections++ });
  try {
    const output = multiply(input("x", [dim("row")], "float32"), 2);
    const program = await device.compile(new Map([["y", output]]));
    const run = async (megabytes: number) => {
      const data = new Float32Array((megabytes * 2 ** 20) / 4);
      await program.run({ x: { data, shape: [data.length] } }, new Map());
    };
    for (let time = 0; time < 5; time++) await run(16);
    expect(collections).toBe(0);
    await run(100);
    await run(16);
    expect(collections).toBe(1);
    await run(16);
    expect(collections).toBe(1);
  } finally {
    await device.dispose();
  }
});
