import type { Command } from "commander";
import { QkvError } from "../../util/errors.ts";
import { formatCount } from "../../util/format.ts";
import { examples } from "../arguments.ts";
import { print } from "../text-files.ts";

export function defineHub(program: Command): void {
  const hub = program.command("hub").description("show and clear the cache of models from the hub");
  hub
    .command("list")
    .description("list the models in the cache, with the size of what was downloaded")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples("qkv hub list"))
    .action(async ({ json }: { json?: boolean }) => {
      const { hubSettings } = await import("../../weights/node/hub/settings.ts");
      const { listCachedModels } = await import("../../weights/node/hub/cache.ts");
      const { cacheFolder } = await hubSettings();
      const models = await listCachedModels(cacheFolder);
      if (models.length === 0) process.stderr.write(`${cacheFolder}: holds no models\n`);
      for (const model of models) {
        const { name, bytes, snapshots } = model;
        const revisions = snapshots.map(({ commit, revisions: names }) =>
          [commit.slice(0, 7), ...names].join(" "),
        );
        await print(
          json ? `${JSON.stringify(model)}\n` : `${name}  ${formatCount(bytes)}B  ${revisions.join(", ")}\n`,
        );
      }
    });
  hub
    .command("remove")
    .description("remove a model from the cache, with all its revisions")
    .argument("<name>", "as qkv hub list prints it")
    .addHelpText("after", examples("qkv hub remove google-bert/bert-base-uncased"))
    .action(async (name: string) => {
      const { readHubName } = await import("../../weights/hub-name.ts");
      const { hubSettings } = await import("../../weights/node/hub/settings.ts");
      const { removeCachedModel } = await import("../../weights/node/hub/cache.ts");
      const { repository } = readHubName(name);
      if (name !== repository) {
        throw new QkvError(
          "option",
          `hub remove: takes a model with all its revisions; got "${name}"; name "${repository}"`,
        );
      }
      const { cacheFolder } = await hubSettings();
      const bytes = await removeCachedModel(cacheFolder, repository);
      if (bytes === undefined) {
        throw new QkvError("file", `${repository}: is not in the cache ${cacheFolder}; see qkv hub list`);
      }
      process.stderr.write(`${repository}: removed, ${formatCount(bytes)}B\n`);
    });
}
