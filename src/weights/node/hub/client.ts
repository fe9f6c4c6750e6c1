/** Asks a hub: with the token where it belongs, again where that may help, with errors as sentences. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { QkvError } from "../../../util/errors.ts";
import { errorCode } from "../../../util/node/file-error.ts";
import type { HubName } from "../../hub-name.ts";
import { refusal, secondsToWait } from "./refusals.ts";
import type { HubSettings } from "./settings.ts";

/** A file of a repository at a commit. */
export interface HubFile {
  readonly name: string;
  readonly bytes: number;
  /** What its content must hash to; also its name among the cache's blobs. */
  readonly hash: string;
  /** SHA-256 of the content where it lies in large file storage, else git's SHA-1 of it as a blob. */
  readonly algorithm: "sha256" | "git-sha1";
}

/** How often a request is made again before its failure counts. */
export const repetitions = 4;
/** A server that asks for a longer pause, in seconds, is not waited for. */
const longestWait = 60;

export class HubClient {
  readonly name: HubName;
  readonly settings: HubSettings;
  readonly #signal: AbortSignal | undefined;

  constructor(name: HubName, settings: HubSettings, signal?: AbortSignal) {
    this.name = name;
    this.settings = settings;
    this.#signal = signal;
  }

  /** The commit that the revision means now. */
  async resolveCommit(): Promise<string> {
    const { repository, revision } = this.name;
    const { modelInfo } = await import("@huggingface/hub");
    const asked = { name: repository, revision, additionalFields: ["sha" as const], ...this.#access() };
    return await this.#understand(async () =>
      z
        .string()
        .regex(commit)
        .parse((await modelInfo(asked)).sha),
    );
  }

  /** The files at the top of the repository, by their names. */
  async listFiles(revision: string): Promise<Map<string, HubFile>> {
    const { listFiles } = await import("@huggingface/hub");
    const asked = {
      repo: { type: "model" as const, name: this.name.repository },
      revision,
      ...this.#access(),
    };
    return await this.#understand(async () => {
      const files = new Map<string, HubFile>();
      for await (const entry of listFiles(asked)) {
        if (entry.type !== "file") continue;
        const { path, size, oid, lfs } = fileSchema.parse(entry);
        if (lfs === undefined) files.set(path, { name: path, bytes: size, hash: oid, algorithm: "git-sha1" });
        else files.set(path, { name: path, bytes: lfs.size, hash: lfs.oid, algorithm: "sha256" });
      }
      return files;
    });
  }

  /**
   * The content of a file from a byte on, once and without repetition.
   * @param signal - ends the request, and the content's stream
   */
  async openFile(revision: string, file: string, offset: number, signal: AbortSignal): Promise<Response> {
    const { endpoint } = this.settings;
    const path = [this.name.repository, "resolve", revision, file].join("/");
    return await this.#send(`${endpoint}/${path}`, {
      // Ranges count the bytes that are sent, so the server must not compress them.
      headers: { "accept-encoding": "identity", ...(offset > 0 && { range: `bytes=${offset}-` }) },
      signal,
    });
  }

  /** Waits before the repetition of this number, from 0. */
  async pause(repetition: number, seconds?: number): Promise<void> {
    const milliseconds = seconds === undefined ? this.settings.retryDelay * 2 ** repetition : seconds * 1000;
    await sleep(milliseconds, undefined, { signal: this.#signal }).catch((cause: unknown) => {
      this.throwIfStopped();
      throw cause;
    });
  }

  throwIfStopped(): void {
    if (!this.#signal?.aborted) return;
    const { reason } = this.#signal;
    if (reason instanceof QkvError && reason.code !== "interrupted") throw reason;
    throw new QkvError(
      "interrupted",
      `${this.name.repository}: the download was stopped; what has arrived is kept for the next time`,
      { cause: reason },
    );
  }

  /** The error for a request that got no answer, or whose answer broke off. */
  unreachable(url: string, cause: unknown): QkvError {
    const { host } = new URL(url);
    const reason = reasonOf(cause);
    return new QkvError(
      "network",
      `${host}: cannot be reached (${reason}); check the connection, or use what is in the cache (HF_HUB_OFFLINE=1)`,
      { cause },
    );
  }

  #access() {
    return { hubUrl: this.settings.endpoint, fetch: this.#fetch };
  }

  /** `fetch` for the library: repeats what may go better the next time, and throws what was refused. */
  readonly #fetch: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    for (let repetition = 0; ; repetition++) {
      const signal = this.#withTimeout();
      const last = repetition === repetitions;
      let response: Response;
      try {
        response = await this.#send(url, { ...init, signal });
      } catch (error) {
        if (last || !(error instanceof QkvError && isBroken(error.cause))) throw error;
        await this.pause(repetition);
        continue;
      }
      if (response.ok) return response;
      const wait = secondsToWait(response.headers);
      const { settings } = this;
      const isTemporary = response.status === 429 || response.status >= 500;
      await response.body?.cancel();
      if (last || !isTemporary || (wait ?? 0) > longestWait) throw refusal(response, this.name, settings);
      await this.pause(repetition, wait);
    }
  };

  #withTimeout(): AbortSignal {
    const timeout = AbortSignal.timeout(this.settings.timeout);
    return this.#signal === undefined ? timeout : AbortSignal.any([this.#signal, timeout]);
  }

  /**
   * One request. The token goes to the hub's own address only: `fetch` drops the header where a redirect leads to
   * another one, such as that of the servers that keep large files.
   */
  async #send(url: string, init: RequestInit): Promise<Response> {
    this.throwIfStopped();
    const { endpoint, token } = this.settings;
    const headers = new Headers(init.headers);
    headers.set("user-agent", "qkv");
    headers.delete("authorization");
    if (token !== undefined && new URL(url).origin === new URL(endpoint).origin) {
      headers.set("authorization", `Bearer ${token}`);
    }
    try {
      return await fetch(url, { ...init, headers });
    } catch (cause) {
      this.throwIfStopped();
      throw this.unreachable(url, cause);
    }
  }

  /** What the library or a check says of an answer that is no hub's, as a sentence. */
  async #understand<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (cause) {
      this.throwIfStopped();
      if (cause instanceof QkvError) throw cause;
      const { endpoint } = this.settings;
      const name = cause instanceof Error ? cause.name : "";
      if (["AbortError", "TimeoutError"].includes(name) || isBroken(cause)) {
        throw this.unreachable(endpoint, cause);
      }
      throw new QkvError(
        "network",
        `${endpoint}: must answer as a hub does; got something else for ${this.name.repository}; check HF_ENDPOINT`,
        { cause },
      );
    }
  }
}

const commit = /^[0-9a-f]{40}$/;
const fileSchema = z.object({
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
});

/** Whether a connection was made and then lost, so that another may hold. */
export function isBroken(cause: unknown): boolean {
  const codes = [errorCode(cause), cause instanceof Error ? errorCode(cause.cause) : undefined];
  return codes.some((code) => ["ECONNRESET", "EPIPE", "ETIMEDOUT", "UND_ERR_SOCKET"].includes(code ?? ""));
}

/** The innermost reason of a failed request, in a word or a sentence. */
function reasonOf(cause: unknown): string {
  if (cause instanceof Error && cause.name === "TimeoutError") return "no answer in time";
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return errorCode(inner) ?? (inner instanceof Error ? inner.message : String(inner));
}
