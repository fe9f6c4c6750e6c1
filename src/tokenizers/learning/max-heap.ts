/** A binary heap of (key, value), largest key first; `isFirst` decides between values of equal keys. */
export class MaxHeap {
  readonly #keys: number[] = [];
  readonly #values: number[] = [];
  readonly #isFirst: (one: number, other: number) => boolean;

  constructor(isFirst: (one: number, other: number) => boolean) {
    this.#isFirst = isFirst;
  }

  get size(): number {
    return this.#keys.length;
  }

  push(key: number, value: number): void {
    let index = this.#keys.length;
    this.#keys.push(key);
    this.#values.push(value);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(key, value, parent)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#keys[index] = key;
    this.#values[index] = value;
  }

  /** Takes the first entry out of a heap that is not empty. */
  pop(): { key: number; value: number } {
    const first = { key: this.#keys[0]!, value: this.#values[0]! };
    const key = this.#keys.pop()!;
    const value = this.#values.pop()!;
    const size = this.#keys.length;
    if (size === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(this.#keys[child + 1]!, this.#values[child + 1]!, child))
        child++;
      if (this.#isBefore(key, value, child)) break;
      this.#move(child, index);
      index = child;
    }
    this.#keys[index] = key;
    this.#values[index] = value;
    return first;
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from]!;
    this.#values[to] = this.#values[from]!;
  }

  #isBefore(key: number, value: number, index: number): boolean {
    const other = this.#keys[index]!;
    return key > other || (key === other && this.#isFirst(value, this.#values[index]!));
  }
}
