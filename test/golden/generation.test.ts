import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DecodingOptions } from "../../src/generation/decoding-options.ts";
import { SequenceGenerator } from "../../src/generation/sequence-to-sequence.ts";
import { transformerGeneration, transformerParameters } from "../../src/models/transformer.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose, readGolden } from "./compare.ts";
import { configOfGolden, torchParameters } from "./torch-names.ts";

interface GoldenRun {
  readonly name: string;
  readonly kwargs: {
    num_beams: number;
    length_penalty?: number;
    early_stopping?: boolean;
    max_new_tokens: number;
  };
  readonly inputs: { src: number[][] };
  readonly generated: number[][];
  readonly sequences_scores?: number[];
}

describe.skipIf(!hasShared)(`generation with torch.nn.Transformer${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 2 });
  });
  afterAll(() => device.dispose());

  test.each(["default", "paper"])("%s: greedy and beams, ids and scores", async (name) => {
    const folder = `goldens/torch_transformer/${name}`;
    const config = configOfGolden(JSON.parse(readFileSync(sharedPath(`${folder}/config.json`), "utf8")));
    const tensors = readGolden(`${folder}/model.safetensors`);
    const values = torchParameters(transformerParameters(config), (key) => tensors.get(key)!.data);
    const generator = await SequenceGenerator.create(device, transformerGeneration(config), {
      fixedParameters: (address) => ({ data: values.get(address)! }),
    });
    const { generate } = readSharedJson<{ generate: GoldenRun[] }>(`${folder}/golden.json`);
    expect(generate.length).toBeGreaterThan(3);
    for (const run of generate) {
      const { num_beams, length_penalty, early_stopping, max_new_tokens } = run.kwargs;
      const options: Partial<DecodingOptions> = {
        numBeams: num_beams,
        maxNewTokens: max_new_tokens,
        ...(length_penalty !== undefined && { lengthPenalty: length_penalty }),
        ...(early_stopping !== undefined && { earlyStopping: early_stopping }),
      };
      const sources = run.inputs.src.map((row) => row.filter((id) => id !== config.padTokenId));
      const got = await generator.generate(sources, options);
      expect(
        got.map(([best]) => best!.tokens),
        `${name}/${run.name}`,
      ).toEqual(run.generated);
      if (run.sequences_scores !== undefined) {
        const scores = got.map(([best]) => best!.score);
        expectClose(`${name}/${run.name} scores`, scores, run.sequences_scores, { absolute: 2e-4 });
      }
    }
    await generator.dispose();
  });
});
