import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Case } from "../case.ts";

const lengths = { a: 2, b: 3 };
const large = { a: 200, b: 203 };

export const sourceCases = {
  parameter: [
    {
      name: "as it is, and twice",
      lengths,
      large,
      build: (make) => {
        const table = make.parameter("table", [make.fixed("a"), make.fixed("b")]);
        return [table, build.add(table, table)];
      },
    },
  ],
  input: [
    {
      name: "as it is, of every type",
      lengths,
      large,
      build: (make) => [
        make.weights("numbers", [make.axis("a"), make.fixed("b")]),
        make.ids("ids", [make.axis("b")], 100, -100),
        make.truths("truths", [make.axis("a"), make.axis("b")]),
        make.weights("scalar", []),
      ],
    },
  ],
  constant: [
    {
      name: "of every type, short and long, none and one and equal ones",
      lengths: {},
      build: () => [
        build.scalar(-1.5),
        build.constant([1, 2, 3, 4, 5, 6], [dim("a", 2), dim("b", 3)]),
        build.constant([1, 2, 3, 4, 5, 6], [dim("a", 3), dim("b", 2)]),
        build.constant(
          Float32Array.from({ length: 40 }, (_, index) => index / 8),
          [dim("a", 40)],
        ),
        build.constant([-7, 0, 2147483647], [dim("a", 3)], "int32"),
        build.constant([1, 0, 1], [dim("a", 3)], "bool"),
      ],
    },
  ],
  dropoutMask: [
    {
      name: "masks of two addresses",
      lengths,
      large,
      build: (make) => {
        const x = make.weights("x", [make.axis("a"), make.axis("b")]);
        return [
          build.dropoutMask("first", 0.3, x.dims),
          build.multiply(x, build.dropoutMask("second", 0.5, x.dims)),
          build.dropoutMask("third", 0.1, [dim("n", 7)]),
        ];
      },
    },
  ],
} satisfies Record<string, readonly Case[]>;
