import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { createProgram } from "../../../src/cli/main.ts";

function all(command: Command): Command[] {
  return [command, ...command.commands.flatMap(all)];
}
const commands = all(createProgram()).filter(
  ({ commands, parent }) => parent !== null && commands.length === 0,
);

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

describe("every command", () => {
  test.each(commands.map((command) => [command.name(), command] as const))("%s", (name, command) => {
    const help = helpOf(command);
    expect(help).toContain("Examples:\n  $ qkv ");
    expect(help).toContain(`${name} `);
    expect(command.description()).not.toBe("");
    for (const option of command.options) {
      const second = option.long?.startsWith("--validation-target");
      expect(option.description !== "" || second, `${name} ${option.flags}`).toBe(true);
    }
  });

  test("of the plan is there", () => {
    const names = commands.map((command) => command.name());
    for (const name of [
      "train",
      "translate",
      "evaluate",
      "score",
      "tokenize",
      "trace",
      "get",
      "list",
      "learn",
    ]) {
      expect(names).toContain(name);
    }
  });
});
