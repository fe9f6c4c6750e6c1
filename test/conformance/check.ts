import type { Device, DeviceArray, HostArray } from "../../src/runtime/device.ts";
import { evaluate } from "../interpreter/evaluate.ts";
import type { Value } from "../interpreter/value.ts";
import type { Problem } from "./case.ts";

/** How a device did on a problem. */
export type Outcome =
  | { readonly status: "ran"; readonly error: number; readonly where: string; readonly results: Results }
  | { readonly status: "refused"; readonly reason: string };
export type Results = ReadonlyMap<string, HostArray>;

/** How far float32 may be off, as `error` counts it: sums of many terms of both signs lose digits. */
export const tolerances = { small: 5e-6, large: 2e-5 } as const;

/** What the interpreter says, in double precision. */
export function expectedResults({
  outputs,
  inputs,
  parameters,
  lengths,
  randomness,
}: Problem): Map<string, Value> {
  const data = (values: Problem["inputs"]) => new Map([...values].map(([name, value]) => [name, value.data]));
  return evaluate(outputs, { inputs: data(inputs), parameters: data(parameters), randomness }, lengths);
}

/**
 * Compiles and runs a problem and compares it with what the interpreter says.
 * @param runs - how often it is run; each run must give the bits of the first
 */
export async function runOnDevice(
  device: Device,
  problem: Problem,
  expected: ReadonlyMap<string, Value>,
  runs = 1,
): Promise<Outcome> {
  const parameters = new Map<string, DeviceArray>();
  for (const [address, { data, shape }] of problem.parameters) {
    const array = device.allocate("float32", shape);
    await array.write(data);
    parameters.set(address, array);
  }
  let program: Awaited<ReturnType<Device["compile"]>> | undefined;
  try {
    program = await device.compile(problem.outputs);
    const inputs = Object.fromEntries(problem.inputs);
    const run = async () => {
      const results = new Map<string, HostArray>();
      for (const [name, array] of await program!.run(inputs, parameters, problem.randomness)) {
        results.set(name, (await array.read()).slice());
      }
      return results;
    };
    const results = await run();
    for (let again = 1; again < runs; again++) {
      const different = firstDifference(results, await run());
      if (different !== undefined) {
        return {
          status: "ran",
          error: Number.POSITIVE_INFINITY,
          where: `${different}, run ${again + 1}`,
          results,
        };
      }
    }
    return { status: "ran", ...largestError(results, expected), results };
  } catch (cause) {
    return { status: "refused", reason: cause instanceof Error ? cause.message : String(cause) };
  } finally {
    await program?.dispose();
  }
}

/** The name of the first output whose bits differ. */
export function firstDifference(left: Results, right: Results): string | undefined {
  const bytes = (values: HostArray) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  for (const [name, values] of left) {
    if (!bytes(values).equals(bytes(right.get(name)!))) return name;
  }
  return undefined;
}

/**
 * The largest difference from what is expected, as a share of the output's largest element where that is above 1;
 * and where it is. Whole numbers, truth values and shapes must be right altogether.
 */
function largestError(
  results: Results,
  expected: ReadonlyMap<string, Value>,
): { error: number; where: string } {
  let worst = { error: 0, where: "" };
  for (const [name, { data }] of expected) {
    const got = results.get(name);
    if (got?.length !== data.length) return { error: Number.POSITIVE_INFINITY, where: `${name}: shape` };
    const exact = !(got instanceof Float32Array);
    const scale = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
    for (let index = 0; index < data.length; index++) {
      const difference = Math.abs(got[index]! - data[index]!) / scale;
      const error =
        Number.isNaN(difference) || (exact && difference > 0) ? Number.POSITIVE_INFINITY : difference;
      if (error > worst.error) {
        worst = { error, where: `${name}[${index}] is ${got[index]}, not ${data[index]}` };
      }
    }
  }
  return worst;
}
