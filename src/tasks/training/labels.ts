import { QkvError } from "../../util/errors.ts";

/** The id of a label. @throws QkvError "data" where there is none, with those that there are */
export function labelId(labels: readonly string[], label: string, where: string): number {
  const id = labels.indexOf(label);
  if (id >= 0) return id;
  const isLong = labels.length > 10;
  const known = isLong ? `${labels.slice(0, 10).join(", ")} ...` : labels.join(", ");
  const all = isLong ? `["${labels[0]}", ..., "${label}"]` : JSON.stringify([...labels, label]);
  throw new QkvError(
    "data",
    `${where}: a label must be one of ${known}; got "${label}"; mend the row, or if it is right name all labels ` +
      `(objective.labels): --set labels='${all}'`,
  );
}

/** Labels in the order of their ids: numbers by size, others by their characters. */
export function sortLabels(labels: Iterable<string>): string[] {
  const list = [...new Set(labels)];
  if (list.every((label) => /^-?\d+$/.test(label)))
    return list.sort((left, right) => Number(left) - Number(right));
  return list.sort((left, right) => (left < right ? -1 : 1));
}
