import type { Command } from "commander";
import { examples, portNumber } from "../arguments.ts";
import { stoppable } from "../stopping.ts";
import { print } from "../text-files.ts";

export function defineDashboard(program: Command): void {
  program
    .command("dashboard")
    .description("show a run on a local page, finished or still under way in another process")
    .argument("<run>", "a run's folder")
    .option("--port <n>", "default: 8680, or any that is free", portNumber)
    .addHelpText(
      "after",
      `${examples("qkv dashboard runs/mine", "qkv dashboard runs/mine --port 9000")}\n` +
        "Ctrl-C ends it. The page is served on this machine only.\n",
    )
    .action(async (folder: string, { port }: { port?: number }) => {
      const { readRun } = await import("../../runs/node/read-run.ts");
      const { openDashboard } = await import("../../runs/node/dashboard-server.ts");
      await readRun(folder);
      const dashboard = await openDashboard({ folder, ...(port !== undefined && { port }) });
      await print(`${dashboard.address}\n`);
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      await stoppable(end, () => ended);
      await dashboard.close("The dashboard was closed.");
    });
}
