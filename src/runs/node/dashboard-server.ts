/** The server of a run's live page: on this machine only, over node:http with server-sent events. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AxisKind } from "../../training/curves.ts";
import type { RunEvent } from "../../training/run-events.ts";
import { QkvError } from "../../util/errors.ts";
import { errorCode } from "../../util/node/file-error.ts";
import {
  type DashboardAction,
  type DashboardState,
  dashboardCurves,
  dashboardPage,
  dashboardParts,
  dashboardState,
  type Preparing,
} from "../dashboard-page.ts";
import { reportPage } from "../report.ts";
import { readPageScript } from "./page-files.ts";
import { RunFollower } from "./run-follower.ts";

/** A training that can be held; `TrainingJob` is one. */
export interface HeldRun {
  readonly isPaused: boolean;
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<unknown>;
  on(name: "event", listener: (event: RunEvent) => void): unknown;
}

export interface DashboardOptions {
  /** The run's folder. It need not be there yet. */
  readonly folder: string;
  /** Default: 8680, or where that is taken any that is free. 0: any that is free. */
  readonly port?: number;
}

const host = "127.0.0.1";
const usualPort = 8680;
const millisecondsBetweenLooks = 500;
/** A reader that takes so many bytes too slowly is told less often. */
const mostWaiting = 4_000_000;

/** Somebody who looks. */
interface Reader {
  readonly response: ServerResponse;
  readonly axis: AxisKind;
  /** The parts as they were sent. */
  readonly sent: Map<string, string>;
}

/**
 * Opens the live page of a run.
 * @throws QkvError "option" where the port is taken
 */
export async function openDashboard({ folder, port }: DashboardOptions): Promise<Dashboard> {
  const scripts = {
    hover: await readPageScript("hover.js"),
    dashboard: await readPageScript("dashboard.js"),
  };
  const server = createServer();
  try {
    await listen(server, port ?? usualPort);
  } catch (error) {
    if (errorCode(error) !== "EADDRINUSE" || port !== undefined) throw listenError(error, port ?? usualPort);
    await listen(server, 0);
  }
  return await Dashboard.begin(server, folder, scripts);
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function listenError(error: unknown, port: number): QkvError {
  const code = errorCode(error);
  const reason =
    code === "EADDRINUSE"
      ? "the port is taken; name another, or 0 for any that is free"
      : code === "EACCES"
        ? "the system does not permit this port; name one above 1023"
        : String(error);
  return new QkvError("option", `dashboard: cannot listen at ${host}:${port}; ${reason}`, { cause: error });
}

/** A running server. */
export class Dashboard {
  readonly #server: Server;
  readonly #scripts: { readonly hover: string; readonly dashboard: string };
  readonly #follower: RunFollower;
  readonly #readers = new Set<Reader>();
  readonly #timer: NodeJS.Timeout;
  #held: HeldRun | undefined;
  #preparing: Preparing | undefined;
  #isStopping = false;
  /** Looks come one after another. */
  #look: Promise<void> = Promise.resolve();

  private constructor(server: Server, folder: string, scripts: { hover: string; dashboard: string }) {
    this.#server = server;
    this.#scripts = scripts;
    this.#follower = new RunFollower(folder);
    server.on("request", (request, response) => {
      try {
        this.#answer(request, response);
      } catch (error) {
        // Whatever somebody asks must not end a training.
        if (!response.headersSent) sendJson(response, 500, { error: String(error) });
        else response.end();
      }
    });
    this.#timer = setInterval(() => this.refresh().catch(() => {}), millisecondsBetweenLooks);
  }

  static async begin(
    server: Server,
    folder: string,
    scripts: { hover: string; dashboard: string },
  ): Promise<Dashboard> {
    const dashboard = new Dashboard(server, folder, scripts);
    await dashboard.refresh();
    return dashboard;
  }

  /** "http://127.0.0.1:8680/" */
  get address(): string {
    return `http://${host}:${this.#port}/`;
  }

  /** Puts a training of this process under the page's buttons. */
  hold(run: HeldRun): void {
    this.#held = run;
    run.on("event", (event) => {
      if (event.type === "preparing") this.#preparing = event;
      if (event.type === "start") this.#preparing = undefined;
      if (event.type === "stopping") this.#isStopping = true;
      if (event.type === "paused" || event.type === "resumed") this.refresh().catch(() => {});
    });
  }

  /** Looks at the folder and tells everybody what has changed. */
  async refresh(): Promise<void> {
    this.#look = this.#look.then(async () => {
      await this.#follower.poll();
      this.#tell([...this.#readers]);
    });
    const look = this.#look;
    this.#look = look.catch(() => {});
    await look;
  }

  /** Tells everybody that it is over, and closes. */
  async close(farewell: string): Promise<void> {
    clearInterval(this.#timer);
    this.#held = undefined;
    await this.refresh().catch(() => {});
    for (const { response } of this.#readers) response.end(eventText("end", farewell));
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Browsers keep connections open; give what was written the time to leave.
    setTimeout(() => this.#server.closeAllConnections(), 200).unref();
    this.#server.closeIdleConnections();
    await closed;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  get #state(): DashboardState {
    const held = this.#held && {
      preparing: this.#preparing,
      isPaused: this.#held.isPaused,
      isStopping: this.#isStopping,
    };
    return dashboardState(this.#follower.run, held);
  }

  #tell(readers: readonly Reader[]): void {
    if (readers.length === 0) return;
    const { run } = this.#follower;
    const parts = Object.entries(dashboardParts(run, this.#state));
    const curves = new Map<AxisKind, string>();
    for (const { response, axis, sent } of readers) {
      if (response.writableLength > mostWaiting) continue;
      if (!curves.has(axis)) curves.set(axis, dashboardCurves(run, axis));
      for (const [id, html] of [...parts, ["curves", curves.get(axis)!] as const]) {
        if (sent.get(id) === html) continue;
        sent.set(id, html);
        response.write(eventText("part", { id, html }));
      }
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Another site's page must not steer a training through the reader's browser, by whatever name of this machine.
    const refusal = refusalOf(request, this.#port);
    const [pathname = "/", query] = (request.url ?? "/").split("?", 2);
    const route = Object.hasOwn(this.#routes, pathname) ? this.#routes[pathname] : undefined;
    if (refusal !== undefined) {
      sendJson(response, 403, { error: refusal });
    } else if (route === undefined) {
      sendJson(response, 404, { error: `there is no ${pathname}` });
    } else if (request.method !== route.method) {
      response.setHeader("allow", route.method);
      sendJson(response, 405, { error: `${pathname} takes ${route.method}` });
    } else {
      route.answer(response, new URLSearchParams(query));
    }
  }

  readonly #routes: Readonly<Record<string, Route>> = {
    "/": get((response) => send(response, "text/html", dashboardPage(this.#follower.run.name))),
    "/hover.js": get((response) => send(response, "text/javascript", this.#scripts.hover)),
    "/dashboard.js": get((response) => send(response, "text/javascript", this.#scripts.dashboard)),
    "/state": get((response) => sendJson(response, 200, this.#state)),
    "/events": get((response, query) => this.#listenTo(response, axisOf(query.get("axis")))),
    "/report": get((response) => {
      const report = reportPage(this.#follower.run, this.#scripts.hover);
      // Its script stands in the page.
      send(response, "text/html", report, "'unsafe-inline'");
    }),
    "/pause": post((response) => this.#act("pause", response)),
    "/resume": post((response) => this.#act("resume", response)),
    "/stop": post((response) => this.#act("stop", response)),
  };

  #listenTo(response: ServerResponse, axis: AxisKind): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const reader: Reader = { response, axis, sent: new Map() };
    this.#readers.add(reader);
    response.on("close", () => this.#readers.delete(reader));
    this.#tell([reader]);
  }

  #act(action: DashboardAction, response: ServerResponse): void {
    const held = this.#held;
    const state = this.#state;
    if (held === undefined || !state.actions.includes(action)) {
      const reason = held === undefined ? "the run is another process's" : `the run is ${state.status}`;
      sendJson(response, 409, { error: `cannot ${action}: ${reason}` });
      return;
    }
    // How it ends is the business of whoever started it.
    if (action === "stop") held.stop().catch(() => {});
    else if (action === "pause") held.pause().catch(() => {});
    else held.resume();
    sendJson(response, 202, { asked: action });
    this.refresh().catch(() => {});
  }
}

interface Route {
  readonly method: "GET" | "POST";
  readonly answer: (response: ServerResponse, query: URLSearchParams) => void;
}

const get = (answer: Route["answer"]): Route => ({ method: "GET", answer });
const post = (answer: Route["answer"]): Route => ({ method: "POST", answer });

function axisOf(text: string | null): AxisKind {
  return text === "log" || text === "linear" ? text : "auto";
}

function refusalOf({ headers, method }: IncomingMessage, port: number): string | undefined {
  const hosts = [`${host}:${port}`, `localhost:${port}`];
  if (!hosts.includes(headers.host ?? "")) return "this page is read at its own address only";
  const origins = hosts.map((name) => `http://${name}`);
  if (method !== "POST" || headers.origin === undefined || origins.includes(headers.origin)) return undefined;
  return "another site's page may not ask this";
}

function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function send(response: ServerResponse, type: string, text: string, scripts = "'self'"): void {
  response.writeHead(200, {
    "content-type": `${type}; charset=utf-8`,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy":
      `default-src 'none'; script-src ${scripts}; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  });
  response.end(text);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(value)}\n`);
}
