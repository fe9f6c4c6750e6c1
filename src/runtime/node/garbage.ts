import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Gives back the memory of arrays that nobody holds any more. Left to itself the collector does not hurry, since the
 * engine's results lie outside its heap; a training would hold the gradients of the step before besides those of the
 * next. Only a whole collection finds them, which takes a few milliseconds.
 */
export function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
