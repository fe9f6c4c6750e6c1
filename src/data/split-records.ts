import { QkvError } from "../util/errors.ts";
import { RandomStream, randomKey, shuffle } from "../util/random.ts";

/** How records are divided into training and validation. */
export interface SplitRecordsOptions {
  /** The seed of the choice; the same seed and the same number of records give the same split. */
  readonly seed: number;
  /** How much to hold out: below 1 a part of the records, else so many of them. */
  readonly validation: number;
  /** For each record what it belongs to: records of one group stay together. Default: each for itself. */
  readonly groups?: ArrayLike<string | number>;
}

/** The positions of the records in each part, ascending; every record stands in exactly one. */
export interface SplitRecords {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  /** One sentence about what was done. */
  readonly explanation: string;
}

/**
 * Holds out records for validation, chosen at random. With groups, whole ones are taken in random order; a group that
 * would exceed what was asked for is passed over, so it may be a few records less.
 * @throws QkvError "option" for an amount that cannot be, "data" where one of the parts would be empty
 */
export function splitRecords(count: number, options: SplitRecordsOptions): SplitRecords {
  const { seed, validation, groups } = options;
  if (!(validation > 0) || (validation >= 1 && !Number.isSafeInteger(validation))) {
    throw new QkvError(
      "option",
      `split: validation must be a part between 0 and 1 or a whole number of records; got ${validation}`,
    );
  }
  if (groups !== undefined && groups.length !== count) {
    throw new QkvError(
      "option",
      `split: each record needs a group; got ${groups.length} for ${count} records`,
    );
  }
  const wanted = validation < 1 ? Math.max(1, Math.round(validation * count)) : validation;
  const random = new RandomStream(randomKey(seed, "split.records"));
  const isHeldOut = new Uint8Array(count);
  const chosen =
    groups === undefined ? chooseRecords(count, wanted, random) : chooseGroups(groups, wanted, random);
  for (const record of chosen.records) isHeldOut[record] = 1;
  const positions = Int32Array.from({ length: count }, (_, record) => record);
  const train = positions.filter((record) => isHeldOut[record] === 0);
  const heldOut = positions.filter((record) => isHeldOut[record] === 1);
  if (heldOut.length === 0 || train.length === 0) {
    throw new QkvError(
      "data",
      `split: both parts need records; got ${count}${chosen.of} of which to hold out ${wanted}; ` +
        (heldOut.length === 0 ? "hold out more or take smaller groups" : "hold out fewer or get more data"),
    );
  }
  const number = (value: number): string => value.toLocaleString("en-US");
  return {
    train,
    validation: heldOut,
    explanation:
      `${number(heldOut.length)} of ${number(count)} records${chosen.of} are held out for validation, chosen by seed ` +
      `${seed}; ${number(train.length)} are left for training`,
  };
}

/** Records to hold out; `of` says which groups they are, where there are groups. */
interface Choice {
  readonly records: ArrayLike<number> & Iterable<number>;
  readonly of: string;
}

function chooseRecords(count: number, wanted: number, random: RandomStream): Choice {
  const order = Int32Array.from({ length: count }, (_, record) => record);
  return { records: shuffle(order, random).subarray(0, wanted), of: "" };
}

function chooseGroups(groups: ArrayLike<string | number>, wanted: number, random: RandomStream): Choice {
  const members = new Map<string | number, number[]>();
  for (let record = 0; record < groups.length; record++) {
    const group = groups[record]!;
    const others = members.get(group);
    if (others === undefined) members.set(group, [record]);
    else others.push(record);
  }
  const records: number[] = [];
  let taken = 0;
  for (const group of shuffle([...members.values()], random)) {
    if (records.length + group.length > wanted) continue;
    for (const record of group) records.push(record);
    taken++;
  }
  return { records, of: ` (${taken} of ${members.size} groups)` };
}
