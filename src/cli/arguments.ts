import { type Command, InvalidArgumentError, Option } from "commander";
import { didYouMean } from "../util/errors.ts";

/** Parsers of option values, with commander's errors. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`It must be a whole number, ${minimum} or more.`);
    }
    return value;
  };
}

/** A port of this machine; 0 for any that is free. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError("A port is a whole number from 0 to 65535.");
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

/** Collects the values of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** One of the names known. */
export function oneOf<Name extends string>(known: readonly Name[]): (text: string) => Name {
  return (text) => {
    const name = known.find((candidate) => candidate === text);
    if (name !== undefined) return name;
    throw new InvalidArgumentError(`It must be one of ${known.join(", ")}${didYouMean(text, known)}.`);
  };
}

/** Names with commas between them, each one of those known. */
export function listOf<Name extends string>(known: readonly Name[]): (text: string) => Name[] {
  return (text) =>
    text.split(",").map((part) => {
      const name = known.find((candidate) => candidate === part.trim());
      if (name !== undefined) return name;
      throw new InvalidArgumentError(
        `"${part}" is not one of ${known.join(", ")}${didYouMean(part, known)}.`,
      );
    });
}

/** The option that every command with an engine has. */
export function threadsOption(): Option {
  return new Option("--threads <n>", "threads of the engine (default: one a core, at most 8)").argParser(
    wholeNumber(1),
  );
}

/** The options of a command that opens a model of any family: how it trades time and memory. */
export function addEngineOptions(command: Command): Command {
  return command
    .addOption(threadsOption())
    .option("--prepacking", "lay weights out anew: less time for each token, more memory")
    .option(
      "--no-prepacking",
      "leave weights in their file (the default for decoder-only models that write text)",
    );
}

/** The given values without those that are missing, for options that must not be there rather than undefined. */
export function given<Values extends object>(
  values: Values,
): { [Name in keyof Values]?: Exclude<Values[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** The examples at the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`;
}
