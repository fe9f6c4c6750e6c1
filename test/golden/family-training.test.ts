import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostInputs, Model } from "../../src/models/family.ts";
import { inputsFromJson, inputTensors } from "../../src/models/inputs.ts";
import { listParameters, shapeOf } from "../../src/nn/parameters.ts";
import type { Device, DeviceArray } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { openModelFolder } from "../../src/tasks/node/model-folder.ts";
import { gradientOutputs, Learner, type Objective } from "../../src/training/learner.ts";
import { adam } from "../../src/training/optimizers/adam.ts";
import { parameterGroups } from "../../src/training/parameter-groups.ts";
import { bindCheckpoint, valuesOf } from "../../src/weights/checkpoint-names.ts";
import { parse } from "../../src/weights/safetensors.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose, type GoldenTensor, readGolden } from "./compare.ts";

interface TrainingGolden {
  readonly batches: readonly Record<string, unknown>[];
  readonly loss_per_step: readonly number[];
  readonly grad_norm_before_clip_per_step: readonly number[];
}

/** A model's own loss as something to learn. */
function objectiveOf(model: Model): Objective<unknown, HostInputs> {
  return {
    parameters: model.parameters,
    loss: (parameters) =>
      model.forward(parameters, inputTensors(model, Object.keys(model.inputs)), "training").loss!.sum!,
    feeds: (batch) => batch,
    count: (batch) => batch.labels!.data.filter((label) => label !== -100).length,
  };
}

/** Tensors under the names of Hugging Face as the model's parameters, by address. */
function byAddress(
  model: Model,
  tensors: ReadonlyMap<string, GoldenTensor>,
  where: string,
): Map<string, Float32Array> {
  const wanted = new Map(
    [...listParameters(model.parameters)].map(([address, spec]) => [address, shapeOf(spec)]),
  );
  const values = new Map<string, Float32Array>();
  for (const [address, bound] of bindCheckpoint(wanted, tensors, model.names, where)) {
    values.set(address, valuesOf(bound, tensors.get(bound.name)!.data));
  }
  return values;
}

describe.skipIf(!hasShared)(`training of pretrained families${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test.each([
    "bert_seqcls",
    "gpt2",
  ])("%s: losses, every gradient, and every parameter after 1 and 5 steps of AdamW", async (name) => {
    const folder = `goldens/train/${name}`;
    const golden = readSharedJson<TrainingGolden>(`${folder}/golden.json`);
    const { model, weights } = await openModelFolder(sharedPath(folder), { mapped: false });
    const objective = objectiveOf(model);
    const learner = await Learner.create(device, objective, {
      seed: 0,
      optimizer: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-9 }),
      groups: parameterGroups(model.parameters, { weightDecay: 0.01 }),
      maxGradientNorm: 1,
    });
    for (const [address, spec] of listParameters(model.parameters)) {
      const fixed = weights.fixedParameters!(address, spec.dims) as { data: Float32Array };
      await learner.parameters.get(address)!.write(fixed.data);
    }
    const batches = golden.batches.map((batch) => inputsFromJson(model, batch));

    const program = await device.compile(gradientOutputs(objective));
    const flows = await program.run(batches[0]!, learner.parameters, { seed: 0, step: 0 });
    const count = objective.count(batches[0]!);
    const expected = byAddress(model, readGolden(`${folder}/grads_batch0.safetensors`), "gradients");
    for (const [address, want] of expected) {
      const got = Float32Array.from(await flows.get(address)!.read(), (value) => value / count);
      const size = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expectClose(`gradient of ${address}`, got, want, { absolute: 1e-6 + 1e-4 * size });
    }

    const masks = new Map<string, GoldenTensor>();
    for (const [key, { shape, data }] of parse(
      readFileSync(sharedPath(`${folder}/after5_stable_mask.safetensors`)),
    ).tensors) {
      masks.set(key, { shape, data: Float32Array.from(data) });
    }
    const stable = byAddress(model, masks, "masks");
    const compareParameters = async (file: string) => {
      for (const [address, want] of byAddress(model, readGolden(`${folder}/${file}`), file)) {
        const got = (await (learner.parameters.get(address) as DeviceArray).read()) as Float32Array;
        const mask = stable.get(address)!;
        const kept = (values: Float32Array) => values.filter((_, index) => mask[index] === 1);
        expectClose(`${file} ${address}`, kept(got), kept(want), { absolute: 5e-6 });
        expectClose(`${file} ${address} (loosely)`, got, want, { absolute: 2 * 5 * 1e-3 });
      }
    };
    for (const [step, batch] of batches.entries()) {
      const result = await learner.update([batch], 1e-3);
      const loss = golden.loss_per_step[step]!;
      const norm = golden.grad_norm_before_clip_per_step[step]!;
      expectClose(`loss of step ${step}`, [result.loss], [loss], { absolute: 0, relative: 1e-5 });
      expectClose(`norm of step ${step}`, [result.gradientNorm], [norm], { absolute: 0, relative: 1e-4 });
      if (step === 0) await compareParameters("params_after1.safetensors");
    }
    await compareParameters("params_after5.safetensors");
    expect(learner.step).toBe(5);
  });
});
