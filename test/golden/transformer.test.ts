import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import { equal, input, scalar } from "../../src/graph/build.ts";
import { dim } from "../../src/graph/dims.ts";
import { recordAddresses } from "../../src/graph/scope.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { type Transformer, transformerGraph, transformerParameters } from "../../src/models/transformer.ts";
import type { TransformerConfig } from "../../src/models/transformer-config.ts";
import { listParameters, parameterTensors, shapeOf } from "../../src/nn/parameters.ts";
import type { Device, DeviceArray } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose, readGolden } from "./compare.ts";
import { configOfGolden, fromTorch } from "./torch-names.ts";

type Ids = number[][];
interface Forward {
  readonly name: string;
  readonly inputs: { src: Ids; tgt_input: Ids; src_attention_mask: Ids; tgt_attention_mask?: Ids };
  readonly outputs: Record<string, { tensor: string } | { tensor: string }[]>;
}

const feed = (ids: Ids) => ({ data: Int32Array.from(ids.flat()), shape: [ids.length, ids[0]!.length] });

/** The whole model as one graph, with every address recorded. */
function buildModel(config: TransformerConfig, parameters: Transformer<Tensor>) {
  const batch = dim("batch");
  const source = input("source", [batch, dim("sequence", "source")], "int32");
  const target = input("target", [batch, dim("sequence", "target")], "int32");
  const labels = input("labels", [batch, dim("sequence", "target")], "int32");
  const sourceMask = input("sourceMask", [batch, dim("sequence", "source")], "int32");
  const targetMask = input("targetMask", [batch, dim("sequence", "target")], "int32");
  const one = scalar(1, "int32");
  const model = transformerGraph(config, "inference");
  const { result, addresses } = recordAddresses(() => {
    const memory = model.encode(parameters, source, equal(sourceMask, one));
    const hidden = model.decode(parameters, target, equal(targetMask, one), memory, equal(sourceMask, one));
    return {
      memory,
      hidden,
      logits: model.logits(parameters, hidden),
      plainLoss: model.loss(parameters, hidden, labels, 0),
      smoothedLoss: model.loss(parameters, hidden, labels, 0.1),
    };
  });
  return { ...result, addresses };
}

async function load(
  device: Device,
  config: TransformerConfig,
  file: string,
): Promise<Map<string, DeviceArray>> {
  const tensors = readGolden(file);
  const values = new Map<string, DeviceArray>();
  for (const [address, spec] of listParameters(transformerParameters(config))) {
    const array = device.allocate("float32", shapeOf(spec));
    await array.write(fromTorch(address, (name) => tensors.get(name)!.data));
    values.set(address, array);
  }
  return values;
}

const goldenNames = ["default", "paper", "prenorm_gelu"];

describe.skipIf(!hasShared)(`torch.nn.Transformer${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 2 });
  });
  let worst = 0;
  afterAll(async () => {
    await device.dispose();
    console.log(`largest absolute error of forward passes: ${worst.toExponential(1)}`);
  });

  test.each(goldenNames)("%s: every hidden state, attention and logit", async (name) => {
    const folder = `goldens/torch_transformer/${name}`;
    const config = configOfGolden(JSON.parse(readFileSync(sharedPath(`${folder}/config.json`), "utf8")));
    const golden = readSharedJson<{ forward: Forward[] }>(`${folder}/golden.json`);
    const expected = readGolden(`${folder}/golden.safetensors`);
    const parameters = await load(device, config, `${folder}/model.safetensors`);
    const { memory, hidden, logits, addresses } = buildModel(
      config,
      parameterTensors(transformerParameters(config)),
    );

    const wanted = new Map<string, Tensor>([
      ["memory", memory],
      ["decoder_output", hidden],
      ["logits", logits],
    ]);
    const at = (address: string) => addresses.get(address)!;
    for (const [side, layers] of [
      ["encoder", config.encoderLayerCount],
      ["decoder", config.decoderLayerCount],
    ] as const) {
      wanted.set(`${side}_hidden_states.0`, at(`${side}.embedded`));
      for (let layer = 0; layer < layers; layer++) {
        wanted.set(`${side}_hidden_states.${layer + 1}`, at(`${side}.layers.${layer}.output`));
        wanted.set(`${side}_attentions.${layer}`, at(`${side}.layers.${layer}.selfAttention.weights`));
        if (side === "decoder")
          wanted.set(`cross_attentions.${layer}`, at(`${side}.layers.${layer}.crossAttention.weights`));
      }
    }
    const program = await device.compile(wanted);
    for (const { name: forwardName, inputs, outputs } of golden.forward) {
      const got = await program.run(
        {
          source: feed(inputs.src),
          target: feed(inputs.tgt_input),
          sourceMask: feed(inputs.src_attention_mask),
          targetMask: feed(inputs.tgt_attention_mask ?? inputs.tgt_input.map((row) => row.map(() => 1))),
        },
        parameters,
      );
      for (const [output, entry] of Object.entries(outputs)) {
        const entries = Array.isArray(entry) ? entry : [entry];
        for (const [index, { tensor }] of entries.entries()) {
          const key = Array.isArray(entry) ? `${output}.${index}` : output;
          const values = await got.get(key)!.read();
          expect(got.get(key)!.shape).toEqual(expected.get(tensor)!.shape);
          const error = expectClose(`${forwardName}/${key}`, values, expected.get(tensor)!.data, {
            absolute: 5e-5,
            relative: 1e-5,
          });
          worst = Math.max(worst, error);
        }
      }
    }
  });

  test.each(goldenNames.slice(0, 2))("%s: losses, plain and smoothed", async (name) => {
    const folder = `goldens/torch_transformer/${name}`;
    const config = configOfGolden(JSON.parse(readFileSync(sharedPath(`${folder}/config.json`), "utf8")));
    const golden = readSharedJson<{ forward: Forward[]; losses_on_padded_logits: Record<string, never> }>(
      `${folder}/golden.json`,
    );
    const parameters = await load(device, config, `${folder}/model.safetensors`);
    const { plainLoss, smoothedLoss } = buildModel(config, parameterTensors(transformerParameters(config)));
    const program = await device.compile(
      new Map([
        ["plain", plainLoss],
        ["smoothed", smoothedLoss],
      ]),
    );
    const { inputs } = golden.forward.find((forward) => forward.name === "padded")!;
    const losses = golden.losses_on_padded_logits;
    const labels = losses.labels as unknown as Ids;
    const got = await program.run(
      {
        source: feed(inputs.src),
        target: feed(inputs.tgt_input),
        labels: feed(labels),
        sourceMask: feed(inputs.src_attention_mask),
        targetMask: feed(inputs.tgt_attention_mask!),
      },
      parameters,
    );
    const count = labels.flat().filter((label) => label !== 0).length;
    const value = async (key: string) => (await got.get(key)!.read())[0]!;
    expectClose("plain", [(await value("plain")) / count], [losses.cross_entropy_mean!], {
      absolute: 0,
      relative: 1e-5,
    });
    expectClose("smoothed", [await value("smoothed")], [losses["cross_entropy_sum_label_smoothing_0.1"]!], {
      absolute: 0,
      relative: 1e-5,
    });
  });

  test("training: loss, every gradient, and every parameter after 1 and 5 steps of AdamW", async () => {
    const folder = "goldens/train/torch_transformer";
    const config = configOfGolden(JSON.parse(readFileSync(sharedPath(`${folder}/config.json`), "utf8")));
    const golden = readSharedJson<{
      batches: (Forward["inputs"] & { labels: Ids })[];
      loss_per_step: number[];
      grad_norm_before_clip_per_step: number[];
    }>(`${folder}/golden.json`);
    const parameters = await load(device, config, `${folder}/model.safetensors`);
    const expectedGradients = readGolden(`${folder}/grads_batch0.safetensors`);
    const stable = new Map<string, Float32Array>();
    const tensors = parameterTensors(transformerParameters(config));
    const specs = transformerParameters(config);
    const { smoothedLoss } = buildModel(config, tensors);
    const addresses = [...listParameters(specs).keys()];
    const leaves = new Map<string, Tensor>();
    const visit = (value: unknown) => {
      if (typeof value !== "object" || value === null) return;
      const tensor = value as Tensor;
      if (tensor.node?.operator === "parameter")
        leaves.set((tensor.node.attributes as { address: string }).address, tensor);
      else for (const item of Object.values(value)) visit(item);
    };
    visit(tensors);
    const flow = gradients(
      smoothedLoss,
      addresses.map((address) => leaves.get(address)!),
    );
    const outputs = new Map<string, Tensor>([["loss", smoothedLoss]]);
    for (const [index, address] of addresses.entries()) outputs.set(address, flow[index]!);
    const program = await device.compile(outputs);
    const moments = new Map(
      addresses.map((address) => {
        const { shape } = parameters.get(address)!;
        return [address, [device.allocate("float32", shape), device.allocate("float32", shape)] as const];
      }),
    );

    const compareParameters = async (file: string) => {
      const expected = readGolden(file);
      for (const address of addresses) {
        const mask = stable.get(address)!;
        const got = await parameters.get(address)!.read();
        const want = fromTorch(address, (name) => expected.get(name)!.data);
        const kept = (values: ArrayLike<number>) =>
          Array.from(values).filter((_, index) => mask[index] === 1);
        expectClose(`${file} ${address}`, kept(got), kept(want), { absolute: 5e-6 });
        expectClose(`${file} ${address} (loosely)`, got, want, { absolute: 2 * 5 * 1e-3 });
      }
    };
    const { parse } = await import("../../src/weights/safetensors.ts");
    const masks = parse(readFileSync(sharedPath(`${folder}/after5_stable_mask.safetensors`))).tensors;
    for (const address of addresses) {
      stable.set(
        address,
        fromTorch(address, (name) => Float32Array.from(masks.get(name)!.data)),
      );
    }

    for (const [step, batch] of golden.batches.entries()) {
      const got = await program.run(
        {
          source: feed(batch.src),
          target: feed(batch.tgt_input),
          labels: feed(batch.labels),
          sourceMask: feed(batch.src_attention_mask),
          targetMask: feed(batch.tgt_attention_mask!),
        },
        parameters,
      );
      const count = batch.labels.flat().filter((label) => label !== config.padTokenId).length;
      const loss = (await got.get("loss")!.read())[0]! / count;
      expectClose(`loss of step ${step}`, [loss], [golden.loss_per_step[step]!], {
        absolute: 0,
        relative: 1e-5,
      });
      const flows = addresses.map((address) => got.get(address)!);
      if (step === 0) {
        for (const [index, address] of addresses.entries()) {
          const want = fromTorch(address, (name) => expectedGradients.get(name)!.data);
          const { name } = { name: address };
          const size = Math.max(
            ...expectedGradients
              .get((await import("./torch-names.ts")).torchName(name).name)!
              .data.map(Math.abs),
          );
          const mean = Float32Array.from(await flows[index]!.read(), (value) => value / count);
          expectClose(`gradient of ${address}`, mean, want, { absolute: 1e-6 + 1e-4 * size });
        }
      }
      const norm = Math.sqrt(await device.sumOfSquares(flows)) / count;
      expectClose(`norm of step ${step}`, [norm], [golden.grad_norm_before_clip_per_step[step]!], {
        absolute: 0,
        relative: 1e-4,
      });
      for (const [index, address] of addresses.entries()) {
        const [firstMoment, secondMoment] = moments.get(address)!;
        await device.adam(
          { parameter: parameters.get(address)!, gradient: flows[index]!, firstMoment, secondMoment },
          {
            step: step + 1,
            learningRate: 1e-3,
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-9,
            weightDecay: 0.01,
            gradientScale: Math.min(1, 1 / (norm + 1e-6)) / count,
          },
        );
      }
      if (step === 0) await compareParameters(`${folder}/params_after1.safetensors`);
    }
    await compareParameters(`${folder}/params_after5.safetensors`);
  });
});
