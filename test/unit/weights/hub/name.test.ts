import { describe, expect, test } from "vitest";
import { parseHubName, readHubName } from "../../../../src/weights/hub-name.ts";

describe("a model's name", () => {
  test.each([
    ["google-bert/bert-base-uncased", "google-bert/bert-base-uncased", "main"],
    ["gpt2", "gpt2", "main"],
    ["a/b.c_d-e@v1.0", "a/b.c_d-e", "v1.0"],
    ["a/b@refs/pr/12", "a/b", "refs/pr/12"],
    ["a/b@0123456789012345678901234567890123456789", "a/b", "0123456789012345678901234567890123456789"],
  ])("%s", (text, repository, revision) => {
    expect(parseHubName(text)).toEqual({ repository, revision });
  });

  test.each([
    "",
    "a/b/c",
    "/a/b",
    "./a",
    "../a",
    "a/..",
    "a/.b",
    "a/b.",
    "a//b",
    "a/",
    "a\\b",
    "C:\\models",
    "a--b/c",
    "a/b c",
    "a/b@",
    "a/b@..",
    "a/b@../../x",
    "a/b@x/../y",
    "a/b@/x",
    "a/b@x/",
    "a/b@.hidden",
    "a/b@x y",
    "a/b@x\0",
    `a/${"b".repeat(97)}`,
  ])("not %j", (text) => {
    expect(parseHubName(text)).toBeUndefined();
  });

  test("has its revision in it or beside it, once", () => {
    expect(readHubName("a/b", "v1").revision).toBe("v1");
    expect(readHubName("a/b@v1", "v1").revision).toBe("v1");
    expect(() => readHubName("a/b@v1", "v2")).toThrow(
      'hub: one revision can be asked for; got "v1" in the name and "v2"; leave one out',
    );
    expect(() => readHubName("a/b", "../x")).toThrow(
      'hub: a revision is a branch, a tag or a commit; got "../x"',
    );
    expect(() => readHubName("a/b/c")).toThrow('ORGANISATION/NAME@REVISION; got "a/b/c"');
  });
});
