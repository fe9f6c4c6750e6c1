import type { Command } from "commander";
import { examples, wholeNumber } from "../arguments.ts";
import { createProgress, formatCount, type Progress } from "../terminal.ts";
import { print } from "../text-files.ts";

export function defineData(program: Command): void {
  const data = program.command("data").description("fetch and divide corpora");
  data
    .command("list")
    .description("list the corpora that can be fetched")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples("qkv data list"))
    .action(async ({ json }: { json?: boolean }) => {
      const { datasets } = await import("../../data/node/datasets.ts");
      for (const [name, { description, licence, files, changing }] of Object.entries(datasets)) {
        const bytes = files.reduce((sum, file) => sum + file.bytes, changing?.bytes ?? 0);
        await print(
          json
            ? `${JSON.stringify({ name, description, licence, bytes, files, changing })}\n`
            : `${name}\n  ${description}\n  licence: ${licence}\n`,
        );
      }
    });
  data
    .command("get")
    .description("fetch a corpus and check it; what is there already is not fetched again")
    .argument("<name>", "its name in qkv data list")
    .option("--out <folder>", "where to put it (default: data/NAME)")
    .option("--accept-changed", "take pairs that have changed at their source since figures were measured")
    .addHelpText(
      "after",
      examples("qkv data get tinyshakespeare --out data/tinyshakespeare", "qkv data get multi30k"),
    )
    .action(
      async (name: string, { out, acceptChanged = false }: { out?: string; acceptChanged?: boolean }) =>
        await getCorpus(name, out ?? `data/${name}`, acceptChanged),
    );
  data
    .command("split")
    .description(
      "divide a file of sentence pairs into training, validation and test without common sentences",
    )
    .argument("<pairs>", "English, tab, translation, one pair a line, as manythings.org publishes Tatoeba's")
    .requiredOption("--out <folder>", "where to put train.en, train.de, valid.en, valid.de, test.en, test.de")
    .option("--test <n>", "pairs for the test", wholeNumber(0), 2000)
    .option("--validation <n>", "pairs for validation", wholeNumber(0), 2000)
    .option("--seed <n>", "decides which", wholeNumber(0), 1)
    .addHelpText("after", examples("qkv data split deu.txt --out data/tatoeba-en-de"))
    .action(async (pairs: string, { out, ...options }: { out: string } & SplitFlags) => {
      const { writeTatoebaFiles } = await import("../../data/node/tatoeba-files.ts");
      const { train, validation, test } = await writeTatoebaFiles(pairs, out, options);
      process.stderr.write(
        `${out}: ${train.length} pairs for training, ${validation.length} for validation, ${test.length} for test\n`,
      );
    });
}

interface SplitFlags {
  test: number;
  validation: number;
  seed: number;
}

async function getCorpus(name: string, folder: string, acceptChanged: boolean): Promise<void> {
  const { fetchDataset } = await import("../../data/node/fetch-data.ts");
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.once("SIGINT", stop);
  let progress: Progress | undefined;
  let shown: string | undefined;
  try {
    const fetched = await fetchDataset(name, {
      folder,
      acceptChanged,
      signal: controller.signal,
      onProgress: ({ bytes, totalBytes, file }) => {
        if (file !== shown) {
          progress?.done();
          progress = createProgress(process.stderr, { total: totalBytes, label: file });
        }
        shown = file;
        progress?.update({ step: bytes });
      },
    });
    progress?.done();
    await print(`${fetched.files.join("\n")}\n`);
    const what =
      fetched.downloadedBytes === 0
        ? "was there already"
        : `${formatCount(fetched.downloadedBytes)}B fetched`;
    process.stderr.write(`${what}; licence: ${fetched.licence}\n`);
  } finally {
    progress?.done();
    process.off("SIGINT", stop);
  }
}
