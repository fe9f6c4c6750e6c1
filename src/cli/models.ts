/** Models as commands take them: a folder, the name of a shipped model, or a name on the hub. */
import { Option } from "commander";
import type { HubOptions, HubProgress } from "../node.ts";
import type { QkvError } from "../util/errors.ts";
import { BrokenPipe, stoppable } from "./stopping.ts";
import { createProgress, type Progress } from "./terminal.ts";

export interface HubFlags {
  offline?: boolean;
}

/** The option of every command that takes a model. */
export function offlineOption(): Option {
  return new Option("--offline", "take models of the hub from the cache only; ask no server");
}

/** The folder of a model; what has to be downloaded is shown on standard error, and stops at Ctrl-C. */
export async function modelFolder(model: string | undefined, flags: HubFlags): Promise<string> {
  const { findModel } = await import("../tasks/node/shipped.ts");
  return await withDownloads(flags, async (hub) => await findModel(model, hub));
}

/** Does what may download, with progress and Ctrl-C. */
export async function withDownloads<Result>(
  { offline }: HubFlags,
  work: (hub: HubOptions) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  let progress: Progress | undefined;
  let shown = 0;
  const onProgress = ({ model, bytes, totalBytes }: HubProgress) => {
    // What belongs to it is known only when an index has come: then another bar begins.
    if (totalBytes !== shown) {
      progress?.done();
      progress = createProgress(process.stderr, { total: totalBytes, label: model });
    }
    shown = totalBytes;
    progress?.update({ step: bytes });
  };
  const onNotice = (notice: string) => {
    if (progress === undefined) process.stderr.write(`qkv: ${notice}\n`);
    else progress.line(`qkv: ${notice}`);
  };
  let stopped: QkvError | BrokenPipe | undefined;
  try {
    return await stoppable(
      (reason) => {
        stopped = reason;
        controller.abort(reason);
      },
      async () =>
        await work({
          signal: controller.signal,
          onProgress,
          onNotice,
          ...(offline && { localFilesOnly: true }),
        }),
    );
  } catch (error) {
    throw stopped instanceof BrokenPipe ? stopped : error;
  } finally {
    progress?.done();
  }
}
