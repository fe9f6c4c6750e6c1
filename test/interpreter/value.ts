/** An axis whose length is known. */
export interface Axis {
  readonly name: string;
  readonly length: number;
}

/** Numbers with named axes, row by row. Whole numbers are kept as they are, truth values as 0 and 1. */
export interface Value {
  readonly axes: readonly Axis[];
  readonly data: Float64Array;
}

/** Where one stands: an index on each axis, by name. */
export type Position = ReadonlyMap<string, number>;

export function sizeOf(axes: readonly Axis[]): number {
  return axes.reduce((size, axis) => size * axis.length, 1);
}

/** Visits every position of the axes, the last axis running fastest. */
export function forEachPosition(axes: readonly Axis[], visit: (position: Position) => void): void {
  const position = new Map<string, number>();
  const descend = (depth: number): void => {
    const axis = axes[depth];
    if (axis === undefined) {
      visit(position);
      return;
    }
    for (let index = 0; index < axis.length; index++) {
      position.set(axis.name, index);
      descend(depth + 1);
    }
  };
  descend(0);
}

/** Where an element lies in the data; axes of the position that the value lacks do not matter: broadcasting. */
export function offsetOf(axes: readonly Axis[], position: Position): number {
  let offset = 0;
  for (const axis of axes) offset = offset * axis.length + position.get(axis.name)!;
  return offset;
}

export function at(value: Value, position: Position): number {
  return value.data[offsetOf(value.axes, position)]!;
}

/** A value whose every element is a function of its position. */
export function fill(axes: readonly Axis[], element: (position: Position) => number): Value {
  const data = new Float64Array(sizeOf(axes));
  let next = 0;
  forEachPosition(axes, (position) => {
    data[next++] = element(position);
  });
  return { axes, data };
}

/** A value made by adding terms up at positions, from zeros. */
export function accumulate(
  axes: readonly Axis[],
  visit: (addAt: (position: Position, term: number) => void) => void,
): Value {
  const data = new Float64Array(sizeOf(axes));
  visit((position, term) => {
    data[offsetOf(axes, position)]! += term;
  });
  return { axes, data };
}

/** The position with one index replaced. */
export function moved(position: Position, axis: string, index: number): Position {
  return new Map(position).set(axis, index);
}

export function without(axes: readonly Axis[], names: readonly string[]): Axis[] {
  return axes.filter((axis) => !names.includes(axis.name));
}

export function lengthOf(value: Value, name: string): number {
  return value.axes.find((axis) => axis.name === name)!.length;
}

/** Where the elements along an axis lie in the data, at a position of the other axes. */
function offsetsAlong({ axes }: Value, name: string, position: Position): number[] {
  const axis = axes.findIndex((candidate) => candidate.name === name);
  const step = sizeOf(axes.slice(axis + 1));
  const start = offsetOf(axes, moved(position, name, 0));
  return Array.from({ length: axes[axis]!.length }, (_, index) => start + index * step);
}

/** The elements along an axis, at a position of the other axes. */
export function along(value: Value, name: string, position: Position): number[] {
  return offsetsAlong(value, name, position).map((offset) => value.data[offset]!);
}

/** A value with the numbers along an axis replaced, row by row. */
export function byRow(value: Value, name: string, compute: (row: number[]) => readonly number[]): Value {
  const data = new Float64Array(value.data.length);
  forEachPosition(without(value.axes, [name]), (position) => {
    const row = compute(along(value, name, position));
    offsetsAlong(value, name, position).forEach((offset, index) => {
      data[offset] = row[index]!;
    });
  });
  return { axes: value.axes, data };
}
