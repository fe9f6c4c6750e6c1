import type { Tensor } from "./tensor.ts";

/**
 * Addresses. While a model is written down, `scope` says which layer is being built and `named` gives a value of
 * that layer its address, such as `encoder.layers.0.selfAttention.weights`. Building is synchronous, so one stack
 * is enough.
 */
const scopes: string[] = [];
let recording: Map<string, Tensor> | undefined;

/** The address of the layer that is being built, or nothing at the top. */
export function currentScope(): string {
  return scopes.join(".");
}

/** Builds a layer under a name. */
export function scope<Result>(name: string | number, build: () => Result): Result {
  scopes.push(String(name));
  try {
    return build();
  } finally {
    scopes.pop();
  }
}

/** Gives a value of the current layer its address, so that it can be asked for; returns it unchanged. */
export function named(name: string, tensor: Tensor): Tensor {
  recording?.set(joinAddress(currentScope(), name), tensor);
  return tensor;
}

export function joinAddress(...parts: (string | number)[]): string {
  return parts.filter((part) => part !== "").join(".");
}

/** Builds something and collects the addresses that were given meanwhile; who collects around it gets them too. */
export function recordAddresses<Result>(build: () => Result): {
  result: Result;
  addresses: Map<string, Tensor>;
} {
  const outer = recording;
  const addresses = new Map<string, Tensor>();
  recording = addresses;
  try {
    return { result: build(), addresses };
  } finally {
    recording = outer;
    for (const [address, tensor] of addresses) outer?.set(address, tensor);
  }
}
