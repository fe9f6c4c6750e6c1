/**
 * How much memory a training holds after many steps on batches of ever different shapes. Run it with
 *
 *   npm run bench -- memory [STEPS] [THREADS]
 *
 * A small Transformer with dropout learns generated sentence pairs, batched by their lengths as in a real training.
 * The resident memory at the end should be within 2 % of that at a tenth of the steps.
 */
import { batchesFrom } from "../src/data/batches.ts";
import { collate } from "../src/data/collate.ts";
import { type ParallelCorpus, parallelCorpusOf } from "../src/data/parallel-corpus.ts";
import { parseTransformerConfig } from "../src/models/transformer-config.ts";
import { openCpu } from "../src/runtime/node/engine.ts";
import { Learner } from "../src/training/learner.ts";
import { adam } from "../src/training/optimizers/adam.ts";
import { translationObjective } from "../src/training/translation-objective.ts";
import { RandomStream, randomKey } from "../src/util/random.ts";

const steps = Number(process.argv[2] ?? 10_000);
const threads = Number(process.argv[3] ?? 2);

const vocabSize = 1000;
const [padId, bosId, eosId] = [0, 1, 2];

const config = parseTransformerConfig({
  model_type: "transformer",
  vocab_size: vocabSize,
  d_model: 64,
  num_attention_heads: 4,
  ffn_dim: 128,
  encoder_layers: 2,
  decoder_layers: 2,
  max_position_embeddings: 64,
  attention_dropout: 0.1,
  activation_dropout: 0.1,
  pad_token_id: padId,
  bos_token_id: bosId,
  eos_token_id: eosId,
});

/** Pairs of 1 to 40 tokens, of which the target is the source in reverse, some tokens of it twice. */
function generateCorpus(pairCount: number): ParallelCorpus {
  const random = new RandomStream(randomKey(1, "bench.memory"));
  const pairs = Array.from({ length: pairCount }, () => {
    const source = Array.from({ length: 1 + random.below(40) }, () => 3 + random.below(vocabSize - 3));
    const target = source.toReversed().flatMap((id) => (random.below(4) === 0 ? [id, id] : [id]));
    return { source, target };
  });
  return parallelCorpusOf(pairs);
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

async function main(): Promise<void> {
  const device = await openCpu({ threads });
  const learner = await Learner.create(device, translationObjective(config, { labelSmoothing: 0.1 }), {
    seed: 1,
    optimizer: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-9 }),
    maxGradientNorm: 1,
  });
  console.log(`${device.description}; ${learner.parameterCount} parameters; ${steps} steps`);
  const corpus = generateCorpus(20_000);
  const rows = { appendEos: true };
  const batches = batchesFrom(corpus, { ...rows, tokensPerBatch: 400, seed: 1 }, { epoch: 0, batch: 0 });

  const reportAt = new Set([0.01, 0.1, 0.2, 0.5, 1].map((share) => Math.round(share * steps)));
  const shapes = new Set<string>();
  const started = performance.now();
  let reference = 0;
  let resident = 0;
  for (const { pairs } of batches) {
    const batch = collate(corpus, pairs, { ...rows, padId, bosId, eosId });
    shapes.add(`${batch.rows},${batch.sourceWidth},${batch.targetWidth}`);
    const { loss } = await learner.update([batch], 1e-3);
    if (reportAt.has(learner.step)) {
      resident = process.memoryUsage.rss();
      if (learner.step === Math.round(0.1 * steps)) reference = resident;
      const speed = ((performance.now() - started) / learner.step).toFixed(1);
      console.log(
        `step ${learner.step}: ${megabytes(resident)} resident, ${shapes.size} shapes so far, ` +
          `loss ${loss.toFixed(3)}, ${speed} ms a step`,
      );
    }
    if (learner.step === steps) break;
  }
  console.log(
    `the end holds ${((100 * resident) / reference - 100).toFixed(2)} % more than a tenth of the way`,
  );
  await learner.dispose();
  await device.dispose();
}

await main();
