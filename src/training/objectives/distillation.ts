import { add, cast, equal, expand, multiply, not, scalar } from "../../graph/build.ts";
import { recordAddresses, scope } from "../../graph/scope.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { Model } from "../../models/family.ts";
import { completeInputs, inputTensors } from "../../models/inputs.ts";
import { cosineLoss, distillationLoss, type MeanLoss } from "../../nn/losses.ts";
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
  const ownNames = Object.keys(student.inputs);
  const askedNames = Object.keys(teacher.model.inputs).filter((name) => !targets.includes(name));
  return {
    parameters: { ...(student.parameters as object), teacher: teacher.model.parameters },
    fixed: new Map([...teacher.parameters].map(([address, array]) => [`teacher.${address}`, array])),
    loss(values) {
      const own = inputTensors(student, ownNames);
      const asked = inputTensors(teacher.model, askedNames);
      // An input that both have is one input.
      const shared = Object.fromEntries(Object.entries(own).filter(([name]) => askedNames.includes(name)));
      const learned = recordAddresses(() => student.forward(values as never, own, "training"));
      const known = recordAddresses(() =>
        scope("teacher", () =>
          teacher.model.forward((values as { teacher: never }).teacher, { ...asked, ...shared }, "inference"),
        ),
      );
      const task = learned.result.loss!;
      const present = cast(not(equal(own.attentionMask!, scalar(0, "int32"))), "float32");
      const { temperature, alphaTask, alphaSoft, alphaCosine } = options;
      const losses: [alpha: number, loss: { mean: Tensor }][] = [
        [alphaTask, task],
        [alphaSoft, softLoss(learned.result.logits!, known.result.logits!, temperature, present)],
      ];
      if (alphaCosine > 0) {
        const last = learned.addresses.get(student.layerOutputs.hidden_states!.at(-1)!)!;
        const lastOfTeacher = known.addresses.get(
          `teacher.${teacher.model.layerOutputs.hidden_states!.at(-1)!}`,
        )!;
        losses.push([alphaCosine, cosineLoss(last, lastOfTeacher, "model", present)]);
      }
      const means = losses.filter(([alpha]) => alpha > 0).map(([alpha, { mean }]) => multiply(mean, alpha));
      // The learner divides by what the student's own loss counts.
      return multiply(
        means.reduce((left, right) => add(left, right)),
        lossOf(student, task.count),
      );
    },
    feeds: ({ inputs }) => ({ ...teacherInputs(teacher.model, inputs), ...inputs }),
    count: ({ count }) => count,
  };
}

const targets: readonly string[] = ["labels", "startPositions", "endPositions"];

/** What the teacher reads besides the student's inputs, such as token types. */
function teacherInputs(
  model: Model,
  { inputIds, attentionMask }: ModelBatch["inputs"],
): ModelBatch["inputs"] {
  const complete = completeInputs(model, { inputIds: inputIds!, attentionMask: attentionMask! });
  return Object.fromEntries(Object.entries(complete).filter(([name]) => !targets.includes(name)));
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
