/** Which modules of a model PEFT's names mean. */
import { listParameters, type ParameterSpec } from "../nn/parameters.ts";
import { didYouMean, QkvError } from "../util/errors.ts";
import { checkpointPlaces } from "../weights/checkpoint-names.ts";
import type { Model } from "./family.ts";
import type { LoraConfig } from "./lora-config.ts";

export interface ChosenModules {
  /** The weights of the linear layers that get an adapter, by address, and the names of these layers. */
  readonly targets: ReadonlyMap<string, string>;
  /** As PEFT is to read it: the names as they were given, or whole names where these would mean others. */
  readonly targetModules: LoraConfig["target_modules"];
  /** The addresses of the parameters that are learned as a whole; a layer among them gets no adapter. */
  readonly saved: readonly string[];
  /** The names of the modules that these belong to. */
  readonly savedModules: string[];
}

/** What a layer gives that is read by a loss as a matrix. */
const scores: readonly string[] = ["vocab", "label", "span"];
/** What PEFT saves of every classifier, whichever of these it has. */
const usualHeads: readonly string[] = ["classifier", "score"];

/** @param begun - the addresses of parameters that a checkpoint did not have, such as a new classifier's */
export function chooseModules(model: Model, config: LoraConfig, begun: Iterable<string> = []): ChosenModules {
  const specs = listParameters(model.parameters);
  const places = checkpointPlaces(specs.keys(), model.names);
  const nameOf = (address: string): string => {
    const { name } = places.get(address)!;
    const { base } = model.names;
    return model.head === "base" && name.startsWith(base) ? name.slice(base.length) : name;
  };
  const meant = chooseTargets(specs, places, nameOf, config.target_modules);
  const ofBegun = [...begun].map((address) => moduleOf(nameOf(address), model.names.base));
  const wanted = config.modules_to_save ?? modulesOfLabels(specs, nameOf);
  const more = ofBegun.filter((module) => !wanted.some((each) => isWithin(`${module}.`, each)));
  const { saved, savedModules } = chooseSaved(specs, nameOf, [...wanted, ...new Set(more)]);
  const targets = new Map([...meant].filter(([weight]) => !saved.includes(weight)));
  if (targets.size === 0) {
    throw new QkvError(
      "config",
      `peft: some linear layer must get an adapter; got target_modules ${[...meant.values()].join(", ")}, ` +
        "all of them in modules_to_save; leave those out there",
    );
  }
  const isAsWritten = typeof config.target_modules !== "string" && targets.size === meant.size;
  const targetModules = isAsWritten
    ? config.target_modules
    : ([...targets.values()] as [string, ...string[]]);
  return { targets, targetModules, saved, savedModules };
}

type Specs = ReadonlyMap<string, ParameterSpec>;

function chooseTargets(
  specs: Specs,
  places: ReturnType<typeof checkpointPlaces>,
  nameOf: (address: string) => string,
  wanted: LoraConfig["target_modules"],
): Map<string, string> {
  const modules = new Map<string, string>();
  for (const address of specs.keys()) {
    const name = nameOf(address);
    if (name.endsWith(".weight")) modules.set(address, name.slice(0, -".weight".length));
  }
  const canBeAdapted = (address: string) =>
    address.endsWith(".weight") &&
    specs.get(address)!.dims.length === 2 &&
    places.get(address)!.part === undefined &&
    !specs.get(address)!.dims.some(({ name }) => scores.includes(name));
  const adaptable = new Map([...modules].filter(([address]) => canBeAdapted(address)));
  if (wanted === "all-linear") return adaptable;

  const known = [
    ...new Set([...adaptable.values()].map((module) => module.slice(module.lastIndexOf(".") + 1))),
  ];
  const chosen = new Map<string, string>();
  for (const target of typeof wanted === "string" ? [wanted] : wanted) {
    const isMeant = typeof wanted === "string" ? wholeName(target) : ending(target);
    const meant = [...modules].filter(([, module]) => isMeant(module));
    if (meant.length === 0) {
      throw new QkvError(
        "config",
        `peft: no linear layer is called "${target}"${didYouMean(target, known)}; there are ${known.join(", ")}`,
      );
    }
    for (const [address, module] of meant) {
      if (!adaptable.has(address)) {
        throw new QkvError(
          "config",
          `peft: target_modules may name linear layers that stay within the model (${known.join(", ")}); ` +
            `got ${module}; leave it out, or put it into modules_to_save`,
        );
      }
      chosen.set(address, module);
    }
  }
  return chosen;
}

const ending = (target: string) => (module: string) => module === target || module.endsWith(`.${target}`);

function wholeName(pattern: string): (module: string) => boolean {
  try {
    const expression = new RegExp(`^(?:${pattern})$`);
    return (module) => expression.test(module);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError(
      "config",
      `peft: target_modules must be a list of names, a regular expression or "all-linear"; got ${reason}`,
      { cause },
    );
  }
}

/** The modules that score labels. */
function modulesOfLabels(specs: Specs, nameOf: (address: string) => string): string[] {
  const ofLabels = [...specs.keys()].filter((address) =>
    specs.get(address)!.dims.some(({ name }) => name === "label" || name === "span"),
  );
  return [...new Set(ofLabels.map((address) => nameOf(address).split(".")[0]!))];
}

/** `pooler.dense` of `bert.pooler.dense.weight`. */
function moduleOf(name: string, base: string): string {
  const plain = name.startsWith(base) ? name.slice(base.length) : name;
  return plain.slice(0, plain.lastIndexOf("."));
}

function chooseSaved(
  specs: Specs,
  nameOf: (address: string) => string,
  wanted: readonly string[],
): { saved: string[]; savedModules: string[] } {
  const all = [...specs.keys()];
  const saved = new Set<string>();
  const savedModules: string[] = [];
  for (const module of wanted) {
    const meant = all.filter((address) => isWithin(nameOf(address), module));
    if (meant.length === 0 && !usualHeads.includes(module)) {
      const known = new Set(all.flatMap((address) => nameOf(address).split(".").slice(0, -1)));
      throw new QkvError(
        "config",
        `peft: modules_to_save: no module is called "${module}"${didYouMean(module, known)}`,
      );
    }
    for (const address of meant) saved.add(address);
    savedModules.push(module);
  }
  return { saved: [...saved], savedModules };
}

/** Whether a parameter belongs to a module of this name, which may lie in others. */
function isWithin(name: string, module: string): boolean {
  return `.${name.slice(0, name.lastIndexOf("."))}.`.includes(`.${module}.`);
}
