/** A stand-in for a hub: its API, and on another address the servers that keep large files. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export type Files = Readonly<Record<string, string | Uint8Array>>;
/** Answers a request itself, or returns false to leave it to the stand-in. */
export type Interception = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export const commitOf = (text: string): string => createHash("sha1").update(text).digest("hex");
export const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
export const gitHash = (content: string | Uint8Array): string => {
  const bytes = Buffer.from(content);
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
};
const isLarge = (name: string): boolean => /\.(safetensors|bin)$/.test(name);
/** The name that a file's content has among the cache's blobs. */
export const blobName = (name: string, content: string | Uint8Array): string =>
  isLarge(name) ? sha256(content) : gitHash(content);

export class HubServer {
  readonly #hub: Server;
  readonly #cdn: Server;
  readonly #repositories = new Map<string, { commits: Map<string, Files>; revisions: Map<string, string> }>();
  readonly #moved = new Map<string, string>();
  /** What came to the hub and to the servers behind it, in order. */
  hubRequests: SeenRequest[] = [];
  cdnRequests: SeenRequest[] = [];
  onHub: Interception = () => false;
  onCdn: Interception = () => false;
  /** Entries on a page of a repository's list of files. */
  pageSize = 1000;

  constructor() {
    this.#hub = createServer((request, response) => {
      this.hubRequests.push(seen(request));
      void this.#answer(request, response);
    });
    this.#cdn = createServer((request, response) => {
      this.cdnRequests.push(seen(request));
      void this.#answerFromCdn(request, response);
    });
  }

  async start(): Promise<this> {
    for (const server of [this.#hub, this.#cdn]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    }
    return this;
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  get cdn(): string {
    return `http://127.0.0.1:${(this.#cdn.address() as AddressInfo).port}`;
  }

  /** Adds a commit to a repository, which the revision then means. Returns its hash. */
  add(name: string, files: Files, revision = "main"): string {
    const repository = this.#repositories.get(name) ?? { commits: new Map(), revisions: new Map() };
    const commit = commitOf(
      `${name} ${revision} ${Object.entries(files).map(([key, value]) => key + sha256(value))}`,
    );
    repository.commits.set(commit, files);
    repository.revisions.set(revision, commit);
    this.#repositories.set(name, repository);
    return commit;
  }

  /** Lets an old name lead to a repository. */
  move(from: string, to: string): void {
    this.#moved.set(from, to);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (await this.onHub(request, response)) return;
    const url = new URL(request.url!, this.endpoint);
    const api = /^\/api\/models\/(.+?)\/(revision|tree|paths-info)\/([^/]+)$/.exec(url.pathname);
    const file = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const [name, revision] = api
      ? [api[1]!, decodeURIComponent(api[3]!)]
      : [file?.[1] ?? "", file?.[2] ?? ""];
    const moved = this.#moved.get(name);
    if (moved !== undefined) {
      response.writeHead(307, { location: request.url!.replace(name, moved) }).end();
      return;
    }
    const repository = this.#repositories.get(name);
    if (repository === undefined) {
      refuse(response, 401, "RepoNotFound", "Repository not found");
      return;
    }
    const commit = repository.revisions.get(revision) ?? revision;
    const files = repository.commits.get(commit);
    if (files === undefined) {
      refuse(response, 404, "RevisionNotFound", "Invalid rev id");
      return;
    }
    if (api?.[2] === "revision")
      sendJson(response, { _id: "1", id: name, sha: commit, lastModified: "2026-01-01" });
    else if (api?.[2] === "tree") this.#sendTree(url, files, response);
    else if (api) {
      const { paths } = JSON.parse(await text(request)) as { paths: string[] };
      const asked = entriesOf(files).filter(({ path }) => paths.includes(path));
      const lastCommit = { id: commit, title: "a commit", date: "2026-01-01" };
      sendJson(
        response,
        asked.map((entry) => ({ ...entry, lastCommit })),
      );
    } else this.#sendFile(file![3]!, files, commit, request, response);
  }

  #sendTree(url: URL, files: Files, response: ServerResponse): void {
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const all = [{ type: "directory", path: "onnx", size: 0, oid: gitHash("onnx") }, ...entriesOf(files)];
    if (start + this.pageSize < all.length) {
      url.searchParams.set("cursor", String(start + this.pageSize));
      response.setHeader("link", `<${url.href}>; rel="next"`);
    }
    sendJson(response, all.slice(start, start + this.pageSize));
  }

  #sendFile(
    path: string,
    files: Files,
    commit: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const content = files[path];
    response.setHeader("x-repo-commit", commit);
    if (content === undefined) refuse(response, 404, "EntryNotFound", "Entry not found");
    else if (isLarge(path)) {
      response.setHeader("x-linked-etag", `"${sha256(content)}"`);
      response.setHeader("x-linked-size", Buffer.byteLength(content));
      response.writeHead(302, { location: `${this.cdn}/${sha256(content)}?signature=1` }).end();
    } else {
      response.setHeader("etag", `"${gitHash(content)}"`);
      sendRange(request, response, Buffer.from(content));
    }
  }

  async #answerFromCdn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (await this.onCdn(request, response)) return;
    const content = this.contentOf(request);
    if (content === undefined) response.writeHead(404).end();
    else sendRange(request, response, content);
  }

  /** What a request to the servers of large files asks for. */
  contentOf(request: IncomingMessage): Buffer | undefined {
    const hash = new URL(request.url!, this.cdn).pathname.slice(1);
    for (const { commits } of this.#repositories.values()) {
      for (const files of commits.values()) {
        for (const content of Object.values(files)) if (sha256(content) === hash) return Buffer.from(content);
      }
    }
    return undefined;
  }
}

export function sendRange(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = startOf(request);
  if (request.headers.range === "bytes=0-0") {
    // How some ask for no more than the size.
    const headers = { "content-range": `bytes 0-0/${content.length}`, "content-length": 1 };
    response.writeHead(206, response.hasHeader("etag") ? headers : { ...headers, etag: '"some"' });
    response.end(content.subarray(0, 1));
  } else if (start >= content.length && start > 0) response.writeHead(416).end();
  else if (start === 0) response.writeHead(200, { "content-length": content.length }).end(content);
  else {
    const range = `bytes ${start}-${content.length - 1}/${content.length}`;
    response.writeHead(206, { "content-range": range, "content-length": content.length - start });
    response.end(content.subarray(start));
  }
}

/** Sends some of what is asked for, and breaks off, or (`hang`) sends no more. */
export function sendSome(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  bytes: number,
  hang = false,
): void {
  const start = startOf(request);
  const range = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": content.length - start,
    ...(start > 0 && range),
  });
  response.write(content.subarray(start, start + bytes), () => {
    if (!hang) setTimeout(() => response.destroy(), 20);
  });
}

export function refuse(response: ServerResponse, status: number, code?: string, message?: string): boolean {
  if (code !== undefined) response.setHeader("x-error-code", code);
  if (message !== undefined) response.setHeader("x-error-message", message);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error: message }));
  return true;
}

/** Files as the hub's API describes them. */
function entriesOf(files: Files) {
  return Object.entries(files).map(([path, content]) => {
    const size = Buffer.byteLength(content);
    const large = { lfs: { oid: sha256(content), size, pointerSize: 134 }, xetHash: sha256(`${size}`) };
    return { type: "file", path, size, oid: gitHash(content), ...(isLarge(path) && large) };
  });
}

function startOf(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
}

function seen({ url, headers }: IncomingMessage): SeenRequest {
  return { path: url!, authorization: headers.authorization, range: headers.range };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}
