/** A recipe as a flat list of keys, with what each would be if nobody had set it. */
import { parseRecipe } from "../training/recipe.ts";
import { asObject } from "./stored-run.ts";

export interface RecipeRow {
  /** "training.learning_rate" */
  readonly key: string;
  readonly value: unknown;
  /** undefined: there is none, the key must be given. */
  readonly defaultValue: unknown;
  readonly isDefault: boolean;
}

/** All keys of a recipe, in its order. */
export function recipeRows(recipe: unknown): RecipeRow[] {
  return flatten(recipe).map(({ path, value }) => {
    const defaultValue = defaultOf(recipe, path);
    return { key: path.join("."), value, defaultValue, isDefault: isSame(value, defaultValue) };
  });
}

/** The keys in which recipes differ; undefined stands for a recipe without that key. */
export function differingKeys(recipes: readonly unknown[]): { key: string; values: unknown[] }[] {
  const maps = recipes.map(
    (recipe) => new Map(flatten(recipe).map(({ path, value }) => [path.join("."), value])),
  );
  const keys = [...new Set(maps.flatMap((map) => [...map.keys()]))];
  return keys
    .filter((key) => key !== "description")
    .map((key) => ({ key, values: maps.map((map) => map.get(key)) }))
    .filter(({ values }) => values.some((value) => !isSame(value, values[0])));
}

interface Leaf {
  readonly path: readonly string[];
  readonly value: unknown;
}

function flatten(value: unknown, path: readonly string[] = []): Leaf[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return path.length === 0 ? [] : [{ path, value }];
  }
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, [...path, key]));
}

/** What the recipe's rules fill in where a key is missing. */
function defaultOf(recipe: unknown, path: readonly string[]): unknown {
  try {
    const filled: unknown = parseRecipe(without(recipe, path), "recipe");
    return path.reduce<unknown>((value, key) => asObject(value)[key], filled);
  } catch {
    // It must be given, or the recipe follows other rules than today's.
    return undefined;
  }
}

function without(value: unknown, [key, ...rest]: readonly string[]): unknown {
  const { [key!]: inner, ...others } = asObject(value);
  return rest.length === 0 ? others : { ...others, [key!]: without(inner, rest) };
}

function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
