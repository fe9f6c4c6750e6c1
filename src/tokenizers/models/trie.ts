/**
 * A tree of texts, by UTF-16 units, in typed arrays: the child of a node for a unit is found by hashing both.
 */
export class Trie {
  #keysNode: Int32Array;
  #keysUnit: Uint16Array;
  #children: Int32Array;
  #mask: number;
  #values: Int32Array;
  #nodeCount = 1;

  /** @param texts - each text's value is its index; of equal texts the last counts */
  constructor(texts: readonly string[]) {
    let units = 0;
    for (const text of texts) units += text.length;
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, units * 2)));
    this.#mask = slots - 1;
    this.#keysNode = new Int32Array(slots);
    this.#keysUnit = new Uint16Array(slots);
    this.#children = new Int32Array(slots);
    this.#values = new Int32Array(units + 1).fill(-1);
    texts.forEach((text, value) => {
      let node = 0;
      for (let index = 0; index < text.length; index++) node = this.#addChild(node, text.charCodeAt(index));
      this.#values[node] = value;
    });
  }

  /** The node of the empty text. */
  get root(): number {
    return 0;
  }

  /** The node that `unit` leads to from `node`, or -1. */
  child(node: number, unit: number): number {
    for (let slot = this.#slotOf(node, unit); ; slot = (slot + 1) & this.#mask) {
      const child = this.#children[slot]!;
      if (child === 0) return -1;
      if (this.#keysNode[slot] === node && this.#keysUnit[slot] === unit) return child;
    }
  }

  /** The value of the text that leads to `node`, or -1 where it is only a beginning of texts. */
  valueAt(node: number): number {
    return this.#values[node]!;
  }

  #addChild(node: number, unit: number): number {
    let slot = this.#slotOf(node, unit);
    for (; this.#children[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#keysNode[slot] === node && this.#keysUnit[slot] === unit) return this.#children[slot]!;
    }
    this.#keysNode[slot] = node;
    this.#keysUnit[slot] = unit;
    this.#children[slot] = this.#nodeCount;
    return this.#nodeCount++;
  }

  #slotOf(node: number, unit: number): number {
    const mixed = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit + 0x7f4a, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
}
