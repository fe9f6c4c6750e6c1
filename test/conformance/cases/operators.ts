import type { NotDifferentiable } from "../../../src/autodiff/rules.ts";
import { gradientRules } from "../../../src/autodiff/rules.ts";
import type { OperatorName } from "../../../src/graph/operators.ts";
import type { Case } from "../case.ts";
import { axesCases } from "./axes.ts";
import { elementwiseCases } from "./elementwise.ts";
import { formCases } from "./form.ts";
import { productCases } from "./products.ts";
import { tableCases } from "./rows.ts";
import { sourceCases } from "./sources.ts";

/** The cases of every operator: one without any does not compile. */
export const operatorCases: {
  readonly [Name in OperatorName]: readonly Case[];
} = {
  ...sourceCases,
  ...elementwiseCases,
  ...axesCases,
  ...productCases,
  ...tableCases,
  ...formCases,
};

/** The operators that have a gradient. */
export type Differentiable = {
  [Name in OperatorName]: (typeof gradientRules)[Name] extends NotDifferentiable ? never : Name;
}[OperatorName];

export const operatorNames = Object.keys(operatorCases) as OperatorName[];

export function isDifferentiable(name: OperatorName): name is Differentiable {
  return typeof gradientRules[name] === "function";
}
