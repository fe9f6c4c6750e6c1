import type { Dim } from "../graph/dims.ts";
import { recordAddresses } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { CompileOptions, Device, DeviceArray, Feed, HostArray, Program } from "../runtime/device.ts";
import { addressPattern } from "../util/address-pattern.ts";
import { didYouMean, QkvError } from "../util/errors.ts";

/** One intermediate value of a forward pass. */
export interface TracedValue {
  readonly address: string;
  /** The names of its axes, e.g. batch, head, query, key. */
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  readonly data: HostArray;
}

export interface TraceOptions extends CompileOptions {
  /** Which addresses: exact ones, or patterns in which * stands for anything. Default: all. */
  readonly addresses?: readonly string[];
}

/** A forward pass, compiled so that values on the way come out; it may be run many times. */
export class Trace {
  readonly #program: Program;
  readonly #wanted: ReadonlyMap<string, Tensor>;

  private constructor(program: Program, wanted: ReadonlyMap<string, Tensor>) {
    this.#program = program;
    this.#wanted = wanted;
  }

  /**
   * @param build - writes the forward pass down; whatever it names can be asked for
   * @param select - the values that are wanted, of all that were named
   */
  static async compile(
    device: Device,
    build: () => unknown,
    select: (addresses: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>,
    options: CompileOptions = {},
  ): Promise<Trace> {
    const wanted = select(recordAddresses(build).addresses);
    return new Trace(await device.compile(wanted, options), wanted);
  }

  /** @returns the values in the order in which they arise; their numbers are valid until the next run */
  async run(
    inputs: Readonly<Record<string, Feed>>,
    parameters: ReadonlyMap<string, DeviceArray> = new Map(),
  ): Promise<TracedValue[]> {
    const values = await this.#program.run(inputs, parameters);
    const traced: TracedValue[] = [];
    for (const [address, tensor] of this.#wanted) {
      const array = values.get(address)!;
      const data = await array.read();
      traced.push({ address, axes: tensor.dims.map((axis: Dim) => axis.name), shape: array.shape, data });
    }
    return traced;
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
  }
}

/**
 * Runs a forward pass once and returns its intermediate values in the order in which they arise.
 * @param build - writes the forward pass down; whatever it names can be asked for
 * @throws QkvError "option" for an address that does not exist
 */
export async function trace(
  device: Device,
  build: () => unknown,
  inputs: Readonly<Record<string, Feed>>,
  { addresses = ["*"], ...options }: TraceOptions = {},
  parameters: ReadonlyMap<string, DeviceArray> = new Map(),
): Promise<TracedValue[]> {
  const compiled = await Trace.compile(device, build, (all) => selectAddresses(all, addresses), options);
  try {
    return await compiled.run(inputs, parameters);
  } finally {
    await compiled.dispose();
  }
}

/** The addressed values that any of the patterns names. */
export function selectAddresses(
  addresses: ReadonlyMap<string, Tensor>,
  patterns: readonly string[],
): Map<string, Tensor> {
  const selected = new Map<string, Tensor>();
  const tests = patterns.map((pattern) => {
    const expression = addressPattern(pattern);
    const matching = [...addresses.keys()].filter((address) => expression.test(address));
    if (matching.length === 0) {
      throw new QkvError(
        "option",
        `trace: no value has the address "${pattern}"${didYouMean(pattern, addresses.keys())}; * stands for anything`,
      );
    }
    return expression;
  });
  for (const [address, tensor] of addresses) {
    if (tests.some((test) => test.test(address))) selected.set(address, tensor);
  }
  return selected;
}
