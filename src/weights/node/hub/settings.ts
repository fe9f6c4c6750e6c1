/** What decides how a hub is asked: options, else the environment variables that all tools for it share. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { QkvError } from "../../../util/errors.ts";
import { errorCode, fileError } from "../../../util/node/file-error.ts";

/** How models come from a hub. */
export interface HubOptions {
  /** A branch, a tag or a commit; it may stand in the name too, behind `@`. Default: "main". */
  readonly revision?: string;
  /** Takes only what is in the cache and asks no server. Default: HF_HUB_OFFLINE. */
  readonly localFilesOnly?: boolean;
  /** The folder of the cache. Default: HF_HUB_CACHE, else `hub` in HF_HOME. */
  readonly cacheDir?: string;
  /** For models that are not public. Default: HF_TOKEN, else the one that `hf auth login` has saved. */
  readonly token?: string;
  /** Stops a download; what has arrived is kept for the next one. */
  readonly signal?: AbortSignal;
  /** Told while files arrive. */
  readonly onProgress?: (progress: HubProgress) => void;
  /** Told what a person should know, such as that the cache is used since the hub cannot be reached. */
  readonly onNotice?: (notice: string) => void;
}

export const hubOptionNames = [
  "revision",
  "localFilesOnly",
  "cacheDir",
  "token",
  "signal",
  "onProgress",
  "onNotice",
] as const satisfies readonly (keyof HubOptions)[];

/** How much of the files that are fetched together is there. */
export interface HubProgress {
  /** The model's name. */
  readonly model: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface HubSettings {
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  readonly cacheFolder: string;
  readonly isOffline: boolean;
  readonly token: string | undefined;
  /** Milliseconds without an answer, or without a byte, after which a connection counts as broken. */
  readonly timeout: number;
  /** Milliseconds before the first repetition of a request that failed; they double each time. */
  readonly retryDelay: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws QkvError "option" for a variable that cannot be used */
export async function hubSettings(
  options: HubOptions = {},
  environment: Environment = process.env,
): Promise<HubSettings> {
  const home =
    folder(environment.HF_HOME) ??
    join(folder(environment.XDG_CACHE_HOME) ?? join(homedir(), ".cache"), "huggingface");
  const { HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE } = environment;
  return {
    endpoint: endpointOf(environment.HF_ENDPOINT || "https://huggingface.co"),
    cacheFolder: folder(
      options.cacheDir || environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE || join(home, "hub"),
    )!,
    isOffline: options.localFilesOnly ?? (isOn(HF_HUB_OFFLINE) || isOn(TRANSFORMERS_OFFLINE)),
    token: options.token ?? (await savedToken(environment, home)),
    timeout: 1000 * seconds("HF_HUB_DOWNLOAD_TIMEOUT", environment.HF_HUB_DOWNLOAD_TIMEOUT ?? "10"),
    retryDelay: 1000,
  };
}

/** An absolute path; `~` is the user's folder. */
function folder(path: string | undefined): string | undefined {
  return path ? resolve(path.replace(/^~(?=$|[\\/])/, homedir())) : undefined;
}

function isOn(value: string | undefined): boolean {
  return ["1", "on", "yes", "true"].includes((value ?? "").toLowerCase());
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new QkvError("option", `HF_ENDPOINT: must be the address of a hub, https://...; got "${text}"`);
  }
  return text.replace(/\/+$/, "");
}

function seconds(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < 1e6)) {
    throw new QkvError("option", `${name}: must be a number of seconds above 0; got "${text}"`);
  }
  return value;
}

async function savedToken(environment: Environment, home: string): Promise<string | undefined> {
  if (isOn(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const given = (environment.HF_TOKEN || environment.HUGGING_FACE_HUB_TOKEN)?.trim();
  if (given) return given;
  const path = folder(environment.HF_TOKEN_PATH) ?? join(home, "token");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(cause) ?? "")) return "";
    throw fileError(path, "cannot read the token", cause);
  });
  return text.trim() || undefined;
}
