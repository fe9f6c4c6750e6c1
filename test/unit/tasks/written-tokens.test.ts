import { expect, test } from "vitest";
import { tellFinished, tokenTeller, type WrittenToken } from "../../../src/tasks/written-tokens.ts";

/** Tokens are bytes of UTF-8. */
const textOf = (_: number, tokens: readonly number[]) => new TextDecoder().decode(Uint8Array.from(tokens));

function told(text: string, tell: (of: ReturnType<typeof tokenTeller>, bytes: number[]) => void) {
  const tokens: WrittenToken[] = [];
  tell(
    tokenTeller(textOf, (token) => tokens.push(token)),
    [...new TextEncoder().encode(text)],
  );
  return tokens;
}

const one = (token: number, last: boolean) => ({ hypothesis: 0, token, logProbability: -1, last });

test("a character comes when all its bytes are there", () => {
  const tokens = told("aé€", (tell, bytes) => {
    bytes.forEach((byte, place) => {
      tell(4, one(byte, place === bytes.length - 1));
    });
  });
  expect(tokens.map(({ text }) => text)).toEqual(["a", "", "é", "", "", "€"]);
  expect(tokens.at(-1)).toEqual({
    index: 4,
    hypothesis: 0,
    token: 0xac,
    text: "€",
    logProbability: -1,
    last: true,
  });
});

test("what is unfinished at the end comes all the same", () => {
  const tokens = told("a", (tell, [letter]) => {
    tell(0, one(letter!, false));
    tell(0, one(0xc3, true));
  });
  expect(tokens.map(({ text }) => text)).toEqual(["a", "\ufffd"]);
});

test("inputs and hypotheses are kept apart", () => {
  const tokens = told("", (tell) => {
    tell(0, one(97, false));
    tell(1, one(98, true));
    tell(0, { ...one(99, true), hypothesis: 1 });
    tell(0, one(100, true));
  });
  expect(tokens.map(({ index, hypothesis, text }) => [index, hypothesis, text])).toEqual([
    [0, 0, "a"],
    [1, 0, "b"],
    [0, 1, "c"],
    [0, 0, "d"],
  ]);
});

test("a finished text is told token by token", () => {
  const results = [
    { tokens: [104, 105], score: -1, logProbabilities: [-0.5, -0.25], ending: "end" },
  ] as const;
  const tokens = told("", (tell) => tellFinished(2, results, tell));
  expect(tokens).toEqual([
    { index: 2, hypothesis: 0, token: 104, text: "h", logProbability: -0.5, last: false },
    { index: 2, hypothesis: 0, token: 105, text: "i", logProbability: -0.25, last: true },
  ]);
});
