import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HypothesisCaches } from "../../../src/generation/hypothesis-caches.ts";
import type { Device, DeviceArray } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";

const sizes = { layerCount: 2, headCount: 2, headDim: 3 };
const names = ["keys.0", "values.0", "keys.1", "values.1"];

let device: Device;
beforeAll(async () => {
  device = await openCpu({ threads: 1 });
});
afterAll(() => device.dispose());

async function arrayOf(shape: number[], value: (index: number) => number): Promise<DeviceArray> {
  const array = device.allocate("float32", shape);
  await array.write(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => value(index)),
  );
  return array;
}

type Action =
  | { readonly kind: "append" }
  | { readonly kind: "reorder"; readonly parents: readonly number[] }
  | { readonly kind: "share" }
  | { readonly kind: "select"; readonly place: number };

test("every hypothesis keeps its own past, however places change and whatever is shared", async () => {
  const action: fc.Arbitrary<Action> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("reorder" as const),
        parents: fc.array(fc.nat(2), { minLength: 9, maxLength: 9 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("share" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("select" as const), place: fc.nat(2) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 80 }),
      fc.constantFrom(1, 3),
      async (actions, hypotheses) => {
        let batch = 3;
        let written = 0;
        const caches = new HypothesisCaches(device, sizes, batch, hypotheses);
        let pasts: number[][] = Array.from({ length: batch * hypotheses }, () => []);
        let shared = new Map<string, DeviceArray>();
        for (const name of names)
          shared.set(name, await arrayOf([batch, sizes.headCount, 0, sizes.headDim], () => 0));
        for (const step of actions) {
          if (step.kind === "append") {
            const tokens = pasts.map(() => ++written);
            const results = new Map<string, DeviceArray>();
            const perSequence = sizes.headCount * hypotheses * sizes.headDim;
            for (const [salt, name] of names.entries()) {
              const shape = [batch, sizes.headCount, hypotheses, sizes.headDim];
              const value = (index: number) => {
                const row =
                  Math.floor(index / perSequence) * hypotheses +
                  (Math.floor(index / sizes.headDim) % hypotheses);
                return tokens[row]! + salt / 8;
              };
              results.set(name, await arrayOf(shape, value));
            }
            caches.append(results);
            pasts = pasts.map((past, row) => [...past, tokens[row]!]);
          } else if (step.kind === "reorder") {
            const parents = Int32Array.from(pasts, (_, row) => step.parents[row % 9]! % hypotheses);
            caches.reorder(parents);
            pasts = pasts.map((_, row) => pasts[row - (row % hypotheses) + parents[row]!]!);
          } else if (step.kind === "share") {
            const common = caches.commonLength();
            if (common > 0) shared = caches.takeCommon(shared, common);
          } else if (batch > 1) {
            const kept = [...Array(batch).keys()].filter((sequence) => sequence !== step.place % batch);
            caches.select(kept);
            shared = new Map([...shared].map(([name, array]) => [name, device.selectRows(array, kept)]));
            pasts = kept.flatMap((sequence) =>
              pasts.slice(sequence * hypotheses, (sequence + 1) * hypotheses),
            );
            batch--;
          }
        }
        const feeds = caches.feeds();
        for (const [salt, name] of names.entries()) {
          const before = shared.get(name)!;
          const cache = feeds[`past.${name}`] as DeviceArray;
          const own = (await cache.read()) as Float32Array;
          const common = (await before.read()) as Float32Array;
          const [sharedLength, capacity] = [before.shape[2]!, cache.shape[3]!];
          expect(sharedLength + caches.length).toBe(pasts[0]!.length);
          pasts.forEach((past, row) => {
            const sequence = Math.floor(row / hypotheses);
            past.forEach((token, place) => {
              const head = sequence * sizes.headCount + (place % sizes.headCount);
              const value =
                place < sharedLength
                  ? common[(head * sharedLength + place) * sizes.headDim]
                  : own[
                      ((head * hypotheses + (row % hypotheses)) * capacity + place - sharedLength) *
                        sizes.headDim
                    ];
              expect(value).toBe(token + salt / 8);
            });
          });
        }
      },
    ),
    { numRuns: 60 },
  );
});
