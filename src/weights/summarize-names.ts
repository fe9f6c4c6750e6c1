/**
 * Names for people: those that differ in one number only, such as the layer's, are written as one:
 * `encoder.layer.{0-11}.output.dense.weight`. Nothing is left out.
 */
export function summarizeNames(names: Iterable<string>): string {
  const numbersOf = new Map<string, Set<number>>();
  for (const name of names) {
    const [, before, number, after] = /^(.*?\.)(\d+)(\..*)$/s.exec(name) ?? [];
    const pattern = number === undefined ? name : `${before}{}${after}`;
    const numbers = numbersOf.get(pattern) ?? new Set();
    numbersOf.set(pattern, numbers);
    if (number !== undefined) numbers.add(Number(number));
  }
  return [...numbersOf]
    .map(([pattern, numbers]) => {
      if (numbers.size === 0) return pattern;
      const text = ranges([...numbers].sort((left, right) => left - right));
      return pattern.replace("{}", numbers.size === 1 ? text : `{${text}}`);
    })
    .join(", ");
}

/** `0-3,5` */
function ranges(sorted: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const number of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === number - 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
}
