import type { OperatorName } from "../../src/graph/operators.ts";
import type { Value } from "../interpreter/value.ts";
import { type Case, forwardProblem, gradientProblem, type Problem } from "./case.ts";
import { compositeCases } from "./cases/composites.ts";
import { isDifferentiable, operatorCases, operatorNames } from "./cases/operators.ts";
import { expectedResults } from "./check.ts";

/** One thing that a device is asked to do: a case's values or its gradients, with few elements or many. */
export interface Check {
  /** An operator or the beginning of a composite's name. */
  readonly subject: string;
  readonly kind: "forward" | "gradient";
  readonly size: "small" | "large";
  /** `contract, gradient: a batch in front (large)`. */
  readonly name: string;
  /** Made on demand, and once: the interpreter is slow. */
  readonly prepare: () => { readonly problem: Problem; readonly expected: ReadonlyMap<string, Value> };
}

function checksOf(subject: string, theCase: Case, withGradient: boolean): Check[] {
  const checks: Check[] = [];
  for (const size of ["small", "large"] as const) {
    const lengths = size === "small" ? theCase.lengths : theCase.large;
    if (lengths === undefined) continue;
    for (const kind of ["forward", "gradient"] as const) {
      const hasGradient = withGradient && !theCase.forwardOnly;
      // A large case's gradient takes its values along.
      if (kind === "gradient" ? !hasGradient : hasGradient && size === "large") continue;
      let prepared: ReturnType<Check["prepare"]> | undefined;
      checks.push({
        subject,
        kind,
        size,
        name: `${subject}, ${kind}: ${theCase.name} (${size})`,
        prepare() {
          if (prepared === undefined) {
            const problem = (kind === "forward" ? forwardProblem : gradientProblem)(theCase, lengths);
            prepared = { problem, expected: expectedResults(problem) };
          }
          return prepared;
        },
      });
    }
  }
  return checks;
}

/** The one list: forward and gradient of every operator, and of operators at work together. */
export const checks: readonly Check[] = [
  ...operatorNames.flatMap((name: OperatorName) =>
    operatorCases[name].flatMap((one) => checksOf(name, one, isDifferentiable(name))),
  ),
  ...compositeCases.flatMap((one) => checksOf(one.name.split(/[:,]/)[0]!, one, true)),
];
