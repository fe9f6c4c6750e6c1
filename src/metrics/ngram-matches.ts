/**
 * Clipped n-gram matches: for every order 1 to `maxOrder`, how many n-grams of the hypothesis stand in the
 * references, where an n-gram counts at most as often as it stands in the reference that holds it most often.
 *
 * An n-gram is known by a number that is built from the number of its first n-1 symbols and its last symbol,
 * so that no order costs more than one look-up a position.
 *
 * @param hypothesis - its symbols: words, or characters as code points
 * @param references - the symbols of each reference
 * @returns matches[n - 1] for order n
 */
export function countNgramMatches<Symbol>(
  hypothesis: readonly Symbol[],
  references: readonly (readonly Symbol[])[],
  maxOrder: number,
): number[] {
  const numbers = new Map<Symbol, number>();
  const referenceSymbols = references.map((reference) =>
    Int32Array.from(reference, (symbol) => numberOf(numbers, symbol)),
  );
  const hypothesisSymbols = Int32Array.from(hypothesis, (symbol) => numbers.get(symbol) ?? absent);
  const symbolCount = numbers.size;

  // The number of the (n-1)-gram that begins at a position; before the first order all are the empty n-gram
  // 0.
  const referencePrefixes = references.map((reference) => new Int32Array(reference.length));
  const hypothesisPrefixes = new Int32Array(hypothesis.length);
  const positionCount = references.reduce((sum, reference) => sum + reference.length, 0);
  const most = new Int32Array(positionCount);
  const inThis = new Int32Array(positionCount);

  const matches = new Array<number>(maxOrder).fill(0);
  for (let order = 1; order <= maxOrder; order++) {
    const ngrams = new Map<number, number>();
    most.fill(0);
    for (const [which, symbols] of referenceSymbols.entries()) {
      const prefixes = referencePrefixes[which]!;
      inThis.fill(0);
      for (let start = 0; start + order <= symbols.length; start++) {
        const ngram = numberOf(ngrams, prefixes[start]! * symbolCount + symbols[start + order - 1]!);
        prefixes[start] = ngram;
        const count = ++inThis[ngram]!;
        if (count > most[ngram]!) most[ngram] = count;
      }
    }
    let matched = 0;
    for (let start = 0; start + order <= hypothesis.length; start++) {
      const prefix = hypothesisPrefixes[start]!;
      const last = hypothesisSymbols[start + order - 1]!;
      if (prefix === absent) continue;
      const ngram = last === absent ? undefined : ngrams.get(prefix * symbolCount + last);
      hypothesisPrefixes[start] = ngram ?? absent;
      if (ngram === undefined || most[ngram] === 0) continue;
      most[ngram]!--;
      matched++;
    }
    if (matched === 0) break;
    matches[order - 1] = matched;
  }
  return matches;
}

/** The number of an n-gram that no reference holds. */
const absent = -1;

function numberOf<Key>(numbers: Map<Key, number>, key: Key): number {
  let number = numbers.get(key);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(key, number);
  }
  return number;
}
