import type { DecodingOptions } from "../../generation/decoding-options.ts";
import type { Head, ProblemType } from "../../models/family.ts";
import type { TracedValue } from "../../tracing/trace.ts";
import { QkvError, refuseUnknownOptions } from "../../util/errors.ts";
import { camelCase, snakeCase } from "../../util/spelling.ts";
import { type HubOptions, hubOptionNames } from "../../weights/node/hub/settings.ts";
import { camelCaseKeys } from "../task.ts";
import { splitHubOptions } from "./hub-models.ts";
import { findModel } from "./shipped.ts";
import { EngineWorker } from "./worker-client.ts";

export interface LoadModelOptions extends HubOptions {
  /** Threads of the engine. Default: one a core, at most eight. */
  readonly threads?: number;
  /** Which of the family's models it is. Default: the one that `architectures` of config.json names. */
  readonly head?: Head;
  /** What labels of whole texts are, where config.json does not say. Default: one of several, or one number. */
  readonly problemType?: ProblemType;
  /** The folder of an adapter that the model gets, as PEFT writes it. */
  readonly adapter?: string;
}

/** What a forward pass is asked for, besides the model's outputs. */
export interface ForwardOptions {
  /** Default: false. */
  readonly outputHiddenStates?: boolean;
  /** Default: false. */
  readonly outputAttentions?: boolean;
  /** Ends waiting; the call then fails with "interrupted". */
  readonly signal?: AbortSignal;
}

/**
 * What a forward pass gave, each where the model has it: Hugging Face's words in camelCase. Lists have an element for
 * each layer; those of hidden states begin with the embeddings.
 */
export interface ModelOutputs {
  readonly logits?: TracedValue;
  /** One number, where labels were given. */
  readonly loss?: TracedValue;
  readonly lastHiddenState?: TracedValue;
  readonly poolerOutput?: TracedValue;
  readonly startLogits?: TracedValue;
  readonly endLogits?: TracedValue;
  readonly encoderLastHiddenState?: TracedValue;
  readonly hiddenStates?: readonly TracedValue[];
  readonly attentions?: readonly TracedValue[];
  readonly encoderHiddenStates?: readonly TracedValue[];
  readonly encoderAttentions?: readonly TracedValue[];
  readonly decoderHiddenStates?: readonly TracedValue[];
  readonly decoderAttentions?: readonly TracedValue[];
  readonly crossAttentions?: readonly TracedValue[];
}

/** What was written after token ids. */
export interface WrittenSequences {
  /**
   * The tokens after the prompt, up to and including the first end token; the numReturnSequences of one input side by
   * side, best first.
   */
  readonly generated: readonly (readonly number[])[];
  /** In the same order, where there were beams. */
  readonly sequencesScores?: readonly number[];
  /**
   * Where hidden states or attentions were asked for: what the model saw when it wrote. A row for each sequence: its
   * prompt and all but the last of its tokens, padded on the right; at each position stands what the next token was
   * chosen from.
   */
  readonly outputs?: ModelOutputs;
}

/** Ids and what belongs to them as nested lists, under Hugging Face's names or the same in camelCase. */
export type ModelInputs = Readonly<Record<string, unknown>>;

/** A model of any family, in a thread of its own. */
export interface LoadedModel {
  /** The name that Hugging Face gives this model, such as "BertForMaskedLM". */
  readonly architecture: string;
  /** One forward pass. Labels add a loss. */
  forward(inputs: ModelInputs, options?: ForwardOptions): Promise<ModelOutputs>;
  /** Any values of one forward pass. @param addresses - * stands for anything; default: all */
  trace(inputs: ModelInputs, addresses?: readonly string[]): Promise<TracedValue[]>;
  /**
   * Writes after token ids.
   * @param options - generation options in either spelling, over the model's own
   */
  generate(
    inputs: ModelInputs,
    options?: Partial<DecodingOptions> & ForwardOptions,
  ): Promise<WrittenSequences>;
  /** Ends the thread. Calls that are under way fail with "interrupted". */
  dispose(): Promise<void>;
}

const optionNames: readonly string[] = ["threads", "head", "problemType", "adapter", ...hubOptionNames];
const forwardNames: readonly string[] = ["outputHiddenStates", "outputAttentions", "signal"];

/**
 * Opens a model of any family.
 * @param model - a model folder, or a name on the hub
 * @throws QkvError "file", "config" or "weights" where the folder is no such model
 */
export async function loadModel(model: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  refuseUnknownOptions("loadModel", options, optionNames);
  const { hub, others } = splitHubOptions(options);
  const { threads, ...asked } = others;
  const folder = await findModel(model, hub);
  const worker = new EngineWorker(threads === undefined ? {} : { threads });
  const architecture = await worker.call("openModel", { folder, options: asked }).catch(async (error) => {
    await worker.dispose();
    throw error;
  });
  return {
    architecture,
    async forward(inputs, given = {}) {
      refuseUnknownOptions("forward", given, forwardNames);
      const { signal, ...wanted } = given;
      const values = await worker.call(
        "runModel",
        { inputs: spelledForFiles(inputs), wanted: { outputs: true, ...wantedOf(wanted) } },
        signal === undefined ? {} : { signal },
      );
      return outputsOf(values);
    },
    trace: (inputs, addresses = ["*"]) =>
      worker.call("runModel", { inputs: spelledForFiles(inputs), wanted: { addresses } }),
    async generate(inputs, given = {}) {
      const { signal, ...others } = given;
      const { outputHiddenStates, outputAttentions, ...decoding } = camelCaseKeys("generate", others);
      const { hypotheses, beams, values } = await worker.call(
        "writeWithModel",
        {
          inputs: spelledForFiles(inputs),
          options: spelledForFiles(decoding),
          wanted: wantedOf({ outputHiddenStates, outputAttentions }),
        },
        signal === undefined ? {} : { signal },
      );
      return {
        generated: hypotheses.map(({ tokens }) => tokens),
        ...(beams > 1 && { sequencesScores: hypotheses.map(({ score }) => score) }),
        ...(values.length > 0 && { outputs: outputsOf(values) }),
      };
    },
    dispose: () => worker.dispose(),
  };
}

function wantedOf(given: { readonly outputHiddenStates?: unknown; readonly outputAttentions?: unknown }) {
  const truth = (name: keyof typeof given): boolean => {
    const value = given[name] ?? false;
    if (typeof value === "boolean") return value;
    throw new QkvError("option", `${name}: must be true or false; got ${JSON.stringify(value)}`);
  };
  return { hiddenStates: truth("outputHiddenStates"), attentions: truth("outputAttentions") };
}

/** The same under the names that files have. */
function spelledForFiles(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [snakeCase(name), value]));
}

/** Values by their names, those of layers as lists. */
function outputsOf(values: readonly TracedValue[]): ModelOutputs {
  const outputs: Record<string, TracedValue | TracedValue[]> = {};
  for (const value of values) {
    const [, name = "", layer] = /^([a-z_]+?)(?:\.(\d+))?$/.exec(value.address) ?? [];
    const key = camelCase(name);
    if (layer === undefined) outputs[key] = value;
    else {
      const list = (outputs[key] ?? []) as TracedValue[];
      list[Number(layer)] = value;
      outputs[key] = list;
    }
  }
  return outputs;
}
