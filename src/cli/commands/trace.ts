import type { Command } from "commander";
import type { TracedValue, TranslationTrace } from "../../node.ts";
import { collect, examples, wholeNumber } from "../arguments.ts";
import { type HubFlags, modelFolder, offlineOption } from "../models.ts";

interface TraceFlags extends HubFlags {
  text?: string;
  inputs?: string;
  target?: string;
  address?: string[];
  out?: string;
  svg?: string;
  print?: boolean;
  threads?: number;
  json?: boolean;
}

export function defineTrace(program: Command): void {
  program
    .command("trace")
    .description("show or write what happens inside a model while it reads and writes")
    .argument("<model>", "a model folder, a name on the hub, or the name of a shipped model")
    .option("--text <text>", "what the encoder of a translator reads")
    .option("--inputs <file>", 'instead of --text: JSON with nested lists, {"input_ids": [[5, 7]], ...}')
    .option("--target <text>", "the translation to follow (default: the model's own)")
    .option(
      "--address <pattern>",
      "which values; * stands for anything; may be given several times (default: all)",
      collect,
    )
    .option("--out <file>", "write the values as safetensors")
    .option("--svg <file>", "draw the attention of the decoder to the source, layer by layer")
    .option("--print", "explain the flow step by step (the default where nothing is written)")
    .option("--json", "print addresses, axes and shapes as JSON")
    .addOption(offlineOption())
    .option("--threads <n>", "threads of the engine (default: one a core)", wholeNumber(1))
    .addHelpText(
      "after",
      examples(
        'qkv trace tatoeba-en-de --text "The cat sleeps." --print',
        'qkv trace tatoeba-en-de --text "The cat sleeps." --address "*.weights" --out attention.safetensors',
        'qkv trace tatoeba-en-de --text "The cat sleeps." --svg attention.svg',
        "qkv trace models/bert --inputs inputs.json --out values.safetensors",
      ),
    )
    .action(async (model: string, flags: TraceFlags, command: Command) => {
      const { inputs, text } = flags;
      if ((inputs === undefined) === (text === undefined)) {
        command.error("error: either --text or --inputs must be there");
      }
      if (inputs !== undefined) {
        const wrong = (["target", "svg"] as const).find((name) => flags[name] !== undefined);
        if (wrong !== undefined) command.error(`error: --${wrong} goes with --text, not with --inputs`);
        await traceFile(model, inputs, flags);
        return;
      }
      const { trace } = await import("../../node.ts");
      const traced = await trace(await modelFolder(model, flags), text!, {
        ...(flags.target !== undefined && { target: flags.target }),
        ...(flags.address !== undefined && { addresses: flags.address }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
      });
      if (flags.out !== undefined) await writeValues(flags.out, traced.values);
      if (flags.svg !== undefined) await writePicture(flags.svg, traced);
      if (flags.json) {
        const { sourceTokens, targetTokens, target, values } = traced;
        const described = values.map(({ address, axes, shape }) => ({ address, axes, shape }));
        process.stdout.write(
          `${JSON.stringify({ sourceTokens, targetTokens, target, values: described })}\n`,
        );
      } else if (flags.print || (flags.out === undefined && flags.svg === undefined)) {
        await print(traced);
      }
    });
}

/** The values of one forward pass, from a file of inputs. */
async function traceFile(model: string, path: string, flags: TraceFlags): Promise<void> {
  const { traceInputs } = await import("../../node.ts");
  const { readJsonFile } = await import("../../tasks/node/shipped.ts");
  const inputs = await readJsonFile(path);
  const values = await traceInputs(await modelFolder(model, flags), inputs, {
    ...(flags.address !== undefined && { addresses: flags.address }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
  });
  if (flags.out !== undefined) await writeValues(flags.out, values);
  if (flags.json) {
    const described = values.map(({ address, axes, shape }) => ({ address, axes, shape }));
    process.stdout.write(`${JSON.stringify({ values: described })}\n`);
  } else if (flags.print || flags.out === undefined) {
    process.stdout.write(`${values.map(describe).join("\n")}\n`);
  }
}

function describe({ address, axes, shape, data }: TracedValue): string {
  const form = axes.map((axis, index) => `${axis} ${shape[index]}`).join(" × ") || "one number";
  const sample = Array.from(data.subarray(0, 5), (value) => Number(value).toPrecision(4)).join(", ");
  return `${address}\n  ${form}\n  ${sample}${data.length > 5 ? ", ..." : ""}`;
}

async function writeValues(path: string, values: readonly TracedValue[]): Promise<void> {
  const { writeTrace } = await import("../../tasks/node/trace-model.ts");
  await writeTrace(path, values);
  process.stderr.write(`${values.length} values; ${path}\n`);
}

async function writePicture(
  path: string,
  { sourceTokens, targetTokens, target, values }: TranslationTrace,
): Promise<void> {
  const { averageHeads, drawAttention } = await import("../../tracing/draw-attention.ts");
  const { writeFileAtomically } = await import("../../util/node/atomic-file.ts");
  const attentions = values.filter(({ address }) => address.endsWith("crossAttention.weights"));
  const picture = drawAttention({
    title: target,
    queries: targetTokens,
    keys: sourceTokens,
    panels: attentions.map((value, layer) => ({
      caption: `layer ${layer + 1}, mean of the heads`,
      weights: averageHeads(value),
    })),
  });
  await writeFileAtomically(path, picture);
  process.stderr.write(`${path}\n`);
}

/** Walks through the flow: each value's address, axes and first numbers, and what it is. */
async function print({ sourceTokens, targetTokens, target, values }: TranslationTrace): Promise<void> {
  const { explain } = await import("../../tracing/explain.ts");
  const lines = [
    `The encoder reads ${sourceTokens.length} pieces: ${sourceTokens.join("  ")}`,
    `The decoder has written: ${target}`,
    `It reads ${targetTokens.length} pieces: ${targetTokens.join("  ")}`,
  ];
  let section = "";
  for (const { address, axes, shape, data } of values) {
    const [stack = ""] = address.split(".");
    const title = { encoder: "ENCODER", decoder: "DECODER" }[stack] ?? "OUTPUT";
    if (title !== section) lines.push("", title);
    section = title;
    const form = axes.map((axis, index) => `${axis} ${shape[index]}`).join(" × ");
    const sample = Array.from(data.subarray(0, 5), (value) => Number(value).toPrecision(4)).join(", ");
    lines.push(
      "",
      `  ${address}`,
      `    ${form}`,
      `    ${explain(address)}`,
      `    ${sample}${data.length > 5 ? ", ..." : ""}`,
    );
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}
