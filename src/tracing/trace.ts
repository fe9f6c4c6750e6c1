import type { Dim } from "../graph/dims.ts";
import { recordAddresses } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { CompileOptions, Device, DeviceArray, Feed, HostArray } from "../runtime/device.ts";
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

/**
 * Runs a forward pass and returns its intermediate values in the order in which they arise.
 * @param build - writes the forward pass down; whatever it names can be asked for
 * @throws QkvError "option" for an address that does not exist
 */
export async function trace(
  device: Device,
  build: () => unknown,
  inputs: Readonly<Record<string, Feed>>,
  options: TraceOptions = {},
  parameters: ReadonlyMap<string, DeviceArray> = new Map(),
): Promise<TracedValue[]> {
  const { addresses } = recordAddresses(build);
  const wanted = selectAddresses(addresses, options.addresses ?? ["*"]);
  const program = await device.compile(wanted, options);
  try {
    const values = await program.run(inputs, parameters);
    const traced: TracedValue[] = [];
    for (const [address, tensor] of wanted) {
      const array = values.get(address)!;
      const data = await array.read();
      traced.push({ address, axes: tensor.dims.map((axis: Dim) => axis.name), shape: array.shape, data });
    }
    return traced;
  } finally {
    await program.dispose();
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
