/** What kind of problem an error is; a program may branch on it, the message is for people. */
export type ErrorCode =
  | "shape" // two tensors do not fit, found while a graph is built
  | "option" // an option that is unknown or has a value out of range
  | "config" // a configuration or recipe that cannot be used
  | "file" // a file is missing, unreadable or damaged
  | "data" // a line or row of the user's data cannot be used
  | "weights" // a checkpoint does not fit the model
  | "network" // a server cannot be reached, is out of order, or sent something else than it promised
  | "device" // the engine lacks something or refused it
  | "diverged" // training produced a value that is not finite
  | "interrupted" // stopped on request
  | "internal"; // a rule of our own was broken

/**
 * The one error class. The message reads "where: rule; got ...; way out".
 * The command line prints it and exits with 2 where `isUsersMistake` holds, else with 1.
 */
export class QkvError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "QkvError";
    this.code = code;
  }
}

/** The error where a model gives what is no number: weights that stay in their file are not looked through before. */
export function notFinite(where: string, what: string): QkvError {
  return new QkvError(
    "weights",
    `${where}: the model's ${what} must be finite numbers; got NaN or infinity; its weights hold such, or are of ` +
      "another model; fetch them again",
  );
}

const usersMistakes: ReadonlySet<ErrorCode> = new Set(["option", "config", "file", "data", "weights"]);

/** Whether the person who called can mend it (exit code 2) rather than the run having failed (exit code 1). */
export function isUsersMistake(error: unknown): boolean {
  return error instanceof QkvError && usersMistakes.has(error.code);
}

/** The name among `known` that is nearest to `name`, if any is near: for "did you mean". */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or nothing where no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
}

/** @throws QkvError "option" for the first option that is not among the known ones, with the nearest of them */
export function refuseUnknownOptions(where: string, given: object, known: readonly string[]): void {
  const name = Object.keys(given).find((option) => !known.includes(option));
  if (name === undefined) return;
  throw new QkvError("option", `${where}: unknown option "${name}"${didYouMean(name, known)}`);
}

/** Levenshtein distance, given up at `limit`. */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const substitution = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[right.length]!;
}
