import { expect, test } from "vitest";
import { add, input, multiply } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { currentScope, joinAddress, named, recordAddresses, scope } from "../../../src/graph/scope.ts";

const x = input("x", [dim("a")]);

test("scopes nest, and each use of an operator remembers its own", () => {
  expect(currentScope()).toBe("");
  const [inner, outer] = scope(
    "encoder",
    () => [scope("layers.0", () => add(x, 1)), multiply(x, 2)] as const,
  );
  expect(inner.node.scope).toBe("encoder.layers.0");
  expect(outer.node.scope).toBe("encoder");
  expect(add(x, 1).node.scope).toBe("");
});

test("a scope ends where its building fails", () => {
  expect(() =>
    scope("encoder", () => {
      throw new Error("broken");
    }),
  ).toThrow("broken");
  expect(currentScope()).toBe("");
});

test("values get addresses of their layer, but only while somebody collects them", () => {
  expect(named("unheard", x)).toBe(x);
  const { result, addresses } = recordAddresses(() =>
    scope("decoder", () => {
      const sum = named("sum", add(x, 1));
      return scope("layers", () => scope(3, () => named("output", multiply(sum, 2))));
    }),
  );
  expect([...addresses.keys()]).toEqual(["decoder.sum", "decoder.layers.3.output"]);
  expect(addresses.get("decoder.layers.3.output")).toBe(result);
});

test("collections nest: the outer one gets the addresses of the inner one too, also where it fails", () => {
  const { addresses } = recordAddresses(() => {
    named("before", x);
    const { addresses: inner } = recordAddresses(() => named("within", x));
    expect([...inner.keys()]).toEqual(["within"]);
    expect(() =>
      recordAddresses(() => {
        named("half", x);
        throw new Error("broken");
      }),
    ).toThrow("broken");
    named("after", x);
  });
  expect([...addresses.keys()]).toEqual(["before", "within", "half", "after"]);
});

test("parts of an address are joined by dots, empty ones left out", () => {
  expect(joinAddress("encoder", "layers", 0, "", "output")).toBe("encoder.layers.0.output");
  expect(joinAddress("", "output")).toBe("output");
});
