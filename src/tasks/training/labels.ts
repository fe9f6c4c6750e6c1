import { QkvError } from "../../util/errors.ts";

/** The id of a label. @throws QkvError "data" where there is none, with those that there are */
export function labelId(labels: readonly string[], label: string, where: string): number {
  const id = labels.indexOf(label);
  if (id >= 0) return id;
  const known = labels.length > 10 ? `${labels.slice(0, 10).join(", ")} ...` : labels.join(", ");
  throw new QkvError(
    "data",
    `${where}: a label must be one of ${known}; got "${label}"; if it is right, list all of them in the recipe's ` +
      "objective.labels",
  );
}

/** Labels in the order of their ids: numbers by size, others by their characters. */
export function sortLabels(labels: Iterable<string>): string[] {
  const list = [...new Set(labels)];
  if (list.every((label) => /^-?\d+$/.test(label)))
    return list.sort((left, right) => Number(left) - Number(right));
  return list.sort((left, right) => (left < right ? -1 : 1));
}
