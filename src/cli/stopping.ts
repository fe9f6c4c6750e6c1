/** How a command ends before its time: Ctrl-C, a reader that closes the pipe. */
import { QkvError } from "../util/errors.ts";

/** Thrown where nobody reads the output any more (`qkv ... | head`): no error, but no reason to go on. */
export class BrokenPipe extends Error {}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let onBrokenPipe: (() => void) | undefined;

/** To be called once: from then on a closed pipe ends the command quietly. */
export function watchPipes(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (onBrokenPipe === undefined) process.exit(0);
    onBrokenPipe();
  });
  // Messages that nobody reads must not end a training.
  process.stderr.on("error", () => {});
}

/**
 * Does some work of which `stop` is called at the first signal, and at a closed pipe. A second signal ends the process
 * at once. Ending it in another way is not safe while the engine runs in its thread.
 */
export async function stoppable<Result>(
  stop: (reason: QkvError | BrokenPipe) => void,
  work: () => Promise<Result>,
): Promise<Result> {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (isStopping) {
      for (const name of signals) process.removeAllListeners(name);
      process.kill(process.pid, signal);
      return;
    }
    isStopping = true;
    stop(new QkvError("interrupted", "interrupted"));
  };
  for (const name of signals) process.on(name, onSignal);
  onBrokenPipe = () => stop(new BrokenPipe());
  try {
    return await work();
  } finally {
    for (const name of signals) process.off(name, onSignal);
    onBrokenPipe = undefined;
  }
}

/** Work that ends by a rejection, wherever it stands, when it is asked to stop: `until` a promise or the end. */
export async function interruptible<Result>(
  work: (until: <Value>(value: Promise<Value>) => Promise<Value>) => Promise<Result>,
): Promise<Result> {
  let reject: (reason: Error) => void = () => {};
  const stopped = new Promise<never>((_, fail) => {
    reject = fail;
  });
  stopped.catch(() => {});
  return await stoppable(reject, () => work((value) => Promise.race([value, stopped])));
}
