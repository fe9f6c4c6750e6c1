import fc from "fast-check";
import { expect, test } from "vitest";
import type { DeviceArray } from "../../../src/runtime/device.ts";
import { HostKeyValueCache, planMoves } from "../../../src/runtime/key-value-cache.ts";

type HostDeviceArray = DeviceArray & { readonly data: Float32Array };
const wrap = (shape: readonly number[], data: Float32Array): HostDeviceArray => ({
  dtype: "float32",
  shape,
  data,
  read: async () => data,
  write: async (values) => data.set(values),
  dispose: () => {},
});

const parentsOf = (beams: number) =>
  fc.array(fc.nat({ max: beams - 1 }), { minLength: beams, maxLength: beams });

test("a plan of moves brings every row to its place, and moves no row that stays", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }).chain(parentsOf), (parents) => {
      const rows = [...parents.keys(), -1];
      const moves = planMoves(Int32Array.from(parents));
      for (let move = 0; move < moves.length; move += 2) rows[moves[move + 1]!] = rows[moves[move]!]!;
      expect(rows.slice(0, parents.length)).toEqual(parents);
      const changed = parents.filter((parent, place) => parent !== place).length;
      expect(moves.length / 2).toBeLessThanOrEqual(changed * 1.5);
      if (changed === 0) expect(moves).toEqual([]);
    }),
  );
});

test("a cache holds what was appended, through growth, reordering and selection", () => {
  const step = fc.record({ parents: fc.array(fc.nat({ max: 2 }), { minLength: 12, maxLength: 12 }) });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 11 }),
      fc.subarray([0, 1, 2, 3], { minLength: 1 }),
      (steps, kept) => {
        const [batch, heads, beams, headDim] = [4, 2, 3, 2];
        const cache = new HostKeyValueCache({ batch, heads, beams, headDim }, 2, wrap);
        // What each hypothesis must hold: for each position, the number that was appended.
        let histories: number[][] = Array.from({ length: batch * beams }, () => []);
        let next = 1;
        steps.forEach(({ parents }, position) => {
          const numbers = histories.map(() => next++);
          const rows = new Float32Array(batch * heads * beams * headDim);
          for (let row = 0; row < rows.length; row++) {
            const [sequence, head, beam] = [
              Math.floor(row / 12),
              Math.floor(row / 6) % heads,
              Math.floor(row / 2) % beams,
            ];
            rows[row] = numbers[sequence * beams + beam]! + head / 4 + (row % headDim) / 8;
          }
          cache.append(wrap([batch, heads, beams, headDim], rows), position);
          histories = histories.map((history, index) => [...history, numbers[index]!]);
          cache.reorder(Int32Array.from(parents), position + 1);
          histories = histories.map(
            (_, index) => histories[Math.floor(index / beams) * beams + parents[index]!]!,
          );
        });
        cache.select(kept);
        const { data, shape } = cache.array as HostDeviceArray;
        expect(shape).toEqual([kept.length, heads, beams, cache.capacity, headDim]);
        kept.forEach((sequence, place) => {
          for (let head = 0; head < heads; head++) {
            for (let beam = 0; beam < beams; beam++) {
              histories[sequence * beams + beam]!.forEach((number, position) => {
                const row = ((place * heads + head) * beams + beam) * cache.capacity + position;
                expect(data[row * headDim]).toBe(number + head / 4);
                expect(data[row * headDim + 1]).toBe(number + head / 4 + 1 / 8);
              });
            }
          }
        });
      },
    ),
  );
});
