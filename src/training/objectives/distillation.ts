import { add, cast, equal, expand, input, multiply, not, scalar } from "../../graph/build.ts";
import { recordAddresses, scope } from "../../graph/scope.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { ForwardInputs, ForwardOutputs, InputName, Model } from "../../models/family.ts";
import { completeInputs, inputTensors } from "../../models/inputs.ts";
import { cosineLoss, distillationLoss, ignoredLabel, type MeanLoss } from "../../nn/losses.ts";
import type { DeviceArray } from "../../runtime/device.ts";
import { QkvError } from "../../util/errors.ts";
import type { Objective } from "../learner.ts";
import { lossOf, type ModelBatch } from "./model-objective.ts";

/** The weights of the three losses, and how soft the teacher's probabilities are made. */
export interface DistillationOptions {
  readonly temperature: number;
  /** Of the distance from the teacher's probabilities. */
  readonly alphaSoft: number;
  /** Of the student's own loss on the labels. */
  readonly alphaTask: number;
  /** Of the angle between both models' last hidden states; only where they are equally wide. */
  readonly alphaCosine: number;
}

/** A model that is asked and not changed. */
export interface Teacher {
  readonly model: Model;
  /** By its own addresses. */
  readonly parameters: ReadonlyMap<string, DeviceArray>;
}

/**
 * A student learns from labels and from a teacher that reads the same:
 * alphaSoft · T² · KL(teacher || student) + alphaTask · its own loss + alphaCosine · (1 - cosine of hidden states),
 * each the mean of what counts for it.
 * Source: Sanh et al., 2019, 3.
 */
export function distillationObjective(
  student: Model,
  teacher: Teacher,
  options: DistillationOptions,
): Objective<unknown, ModelBatch> {
  checkPair(student, teacher.model, options);
  const hiddenOf = ({ layerOutputs }: Model) =>
    (layerOutputs.hidden_states ?? layerOutputs.decoder_hidden_states)!.at(-1)!;
  return {
    parameters: { ...(student.parameters as object), teacher: teacher.model.parameters },
    fixed: new Map([...teacher.parameters].map(([address, array]) => [`teacher.${address}`, array])),
    loss(values) {
      const own = inputTensors(student, Object.keys(student.inputs));
      const learned = recordAddresses(() => student.forward(values as never, own, "training"));
      const asked = teacherTensors(teacher.model, own);
      const known = recordAddresses(() =>
        scope("teacher", () =>
          teacher.model.forward((values as { teacher: never }).teacher, asked, "inference"),
        ),
      );
      const task = learned.result.loss!;
      const present = countingTokens(student, own);
      const { temperature, alphaTask, alphaSoft, alphaCosine } = options;
      const wanted = scoresOf(known.result);
      const soft = scoresOf(learned.result).map((scores, index) => {
        const { mean } = softLoss(scores, wanted[index]!, temperature, present);
        return multiply(mean, 1 / wanted.length);
      });
      const losses: [alpha: number, mean: Tensor][] = [
        [alphaTask, task.mean],
        [alphaSoft, soft.reduce((left, right) => add(left, right))],
      ];
      if (alphaCosine > 0) {
        const last = learned.addresses.get(hiddenOf(student))!;
        const lastOfTeacher = known.addresses.get(`teacher.${hiddenOf(teacher.model)}`)!;
        losses.push([alphaCosine, cosineLoss(last, lastOfTeacher, "model", present).mean]);
      }
      const means = losses.filter(([alpha]) => alpha > 0).map(([alpha, mean]) => multiply(mean, alpha));
      // The learner divides by what the student's own loss counts.
      return multiply(
        means.reduce((left, right) => add(left, right)),
        lossOf(student, task.count),
      );
    },
    feeds: ({ inputs }) => ({ ...inputs, ...teacherFeeds(teacher.model, inputs) }),
    count: ({ count }) => count,
  };
}

const targets: readonly string[] = ["labels", "startPositions", "endPositions"];

/** What both models read is one input; positions are counted otherwise from family to family. */
const isShared = (name: string, own: object): boolean => name !== "positionIds" && Object.hasOwn(own, name);

/** The teacher's inputs as values of the graph. */
function teacherTensors(model: Model, own: ForwardInputs): ForwardInputs {
  const names = Object.keys(model.inputs).filter((name) => !targets.includes(name)) as InputName[];
  return Object.fromEntries(
    names.map((name) => {
      const { dims, dtype } = model.inputs[name]!;
      return [name, isShared(name, own) ? own[name] : input(`teacher.${name}`, dims, dtype)];
    }),
  );
}

/** What the teacher is fed besides the student's inputs. */
function teacherFeeds(model: Model, own: ModelBatch["inputs"]): ModelBatch["inputs"] {
  const shared = Object.entries(own).filter(
    ([name]) => Object.hasOwn(model.inputs, name) && !targets.includes(name) && isShared(name, own),
  );
  const complete = completeInputs(model, Object.fromEntries(shared));
  return Object.fromEntries(
    Object.entries(complete)
      .filter(([name]) => !isShared(name, own))
      .map(([name, value]) => [`teacher.${name}`, value]),
  );
}

/** The scores that a model gives: of classes or tokens, or of both ends of an answer. */
function scoresOf({ logits, startLogits, endLogits }: ForwardOutputs): Tensor[] {
  return logits === undefined ? [startLogits!, endLogits!] : [logits];
}

/** 1 for tokens that count, 0 for padding: [batch, sequence], of the decoder where there is one. */
function countingTokens({ inputs }: Model, own: ForwardInputs): Tensor {
  const isPadding =
    inputs.decoderInputIds === undefined
      ? equal(own.attentionMask!, scalar(0, "int32"))
      : equal(own.labels!, scalar(ignoredLabel, "int32"));
  return cast(not(isPadding), "float32");
}

/**
 * The distance from the teacher's probabilities, of each text or of each token that is no padding.
 * @param logits - [batch, axis] or [batch, sequence, axis] @param present - [batch, sequence]
 */
function softLoss(logits: Tensor, wanted: Tensor, temperature: number, present: Tensor): MeanLoss {
  const axis = logits.dims.at(-1)!.name;
  const weights = logits.dims.length === 3 ? present : expand(scalar(1), logits.dims.slice(0, 1));
  return distillationLoss(logits, wanted, axis, temperature, weights);
}

function checkPair(student: Model, teacher: Model, { alphaCosine }: DistillationOptions): void {
  const refuse = (what: string, own: unknown, other: unknown): never => {
    throw new QkvError(
      "config",
      `teacher: ${what} must be those of the student; got ${String(other)} instead of ${String(own)}`,
    );
  };
  if (student.head !== teacher.head) refuse("the head", student.head, teacher.head);
  if (student.config.vocabSize !== teacher.config.vocabSize) {
    refuse("the size of the vocabulary", student.config.vocabSize, teacher.config.vocabSize);
  }
  const labels = (model: Model) => model.config.labels?.join(", ") ?? "";
  if (labels(student) !== labels(teacher)) refuse("the labels", labels(student), labels(teacher));
  if (alphaCosine > 0 && student.config.modelDim !== teacher.config.modelDim) {
    refuse("the width (or set teacher.alpha_cos to 0): it", student.config.modelDim, teacher.config.modelDim);
  }
}
