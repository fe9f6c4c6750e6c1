/**
 * The first key that stands twice in one object of a JSON text, if any. `JSON.parse` keeps the last of them
 * silently.
 * @param text - valid JSON
 */
export function duplicateKey(text: string): string | undefined {
  // One entry per open bracket: the keys of an object so far, or nothing for an array.
  const open: (Set<string> | undefined)[] = [];
  let position = 0;
  while (position < text.length) {
    const character = text[position];
    if (character === '"') {
      const end = endOfString(text, position);
      const next = skipSpace(text, end);
      const keys = open.at(-1);
      if (text[next] === ":" && keys !== undefined) {
        // Escapes are resolved, since two spellings may name one key.
        const key = JSON.parse(text.slice(position, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      position = next;
      continue;
    }
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(undefined);
    else if (character === "}" || character === "]") open.pop();
    position++;
  }
  return undefined;
}

/** The position behind the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let position = start + 1;
  while (position < text.length && text[position] !== '"') position += text[position] === "\\" ? 2 : 1;
  return position + 1;
}

function skipSpace(text: string, start: number): number {
  let position = start;
  while (" \t\n\r".includes(text[position] ?? "x")) position++;
  return position;
}
