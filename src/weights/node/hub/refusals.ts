/** What a hub's answers other than "here it is" mean for the person who asked. */
import { QkvError } from "../../../util/errors.ts";
import type { HubName } from "../../hub-name.ts";
import type { HubSettings } from "./settings.ts";

type Asked = Pick<HubSettings, "endpoint" | "token">;

/** The error for an answer whose status is not one of success. */
export function refusal(response: Response, name: HubName, { endpoint, token }: Asked): QkvError {
  const { repository, revision } = name;
  const { status } = response;
  const reason = response.headers.get("x-error-code");
  const said = withMessage(response);
  if (response.url !== "" && new URL(response.url).origin !== new URL(endpoint).origin) {
    const host = new URL(response.url).host;
    return new QkvError(
      "network",
      `${repository}: ${host}, which keeps the file, answers ${said}; try again`,
    );
  }
  if (reason === "GatedRepo") {
    const page = `${endpoint}/${repository}`;
    const wayOut =
      token === undefined
        ? `ask for access at ${page}, then give a token of your account (HF_TOKEN)`
        : `the account of your token has no access; ask for it at ${page}`;
    return new QkvError("file", `${repository}: its authors want to be asked first; ${wayOut}`);
  }
  if (reason === "RevisionNotFound") {
    return new QkvError(
      "file",
      `${repository}: there is no revision "${revision}" at ${endpoint}; name a branch, a tag or a whole commit`,
    );
  }
  const isUnknown = status === 404 && reason !== "EntryNotFound";
  if (reason === "RepoNotFound" || isUnknown || (status === 401 && token === undefined)) {
    const message =
      token === undefined
        ? `there is no public model of this name at ${endpoint}; check the name, or give a token (HF_TOKEN)`
        : `there is no model of this name at ${endpoint} that your token may read; check the name and the token`;
    return new QkvError("file", `${repository}: ${message}`);
  }
  if (status === 401) {
    return new QkvError(
      "file",
      `${endpoint}: does not accept the token (${said}); make a new one at ${endpoint}/settings/tokens`,
    );
  }
  if (status === 403) {
    return new QkvError("file", `${repository}: may not be read (${said}); check what the token permits`);
  }
  if (status === 429) {
    const wait = secondsToWait(response.headers);
    return new QkvError(
      "network",
      `${endpoint}: takes no more requests now (429); try again ${wait === undefined ? "later" : `in ${wait} s`}` +
        `${token === undefined ? ", or give a token (HF_TOKEN), which permits more" : ""}`,
    );
  }
  if (status >= 500) {
    return new QkvError("network", `${endpoint}: is out of order (${said}); try again later`);
  }
  return new QkvError("network", `${repository}: ${endpoint} must send it; got ${said}; try again later`);
}

/** The status with the server's own words. */
function withMessage({ status, statusText, headers }: Response): string {
  const message = (headers.get("x-error-message") ?? "").replace(/[^\x20-\x7e]+/g, " ").slice(0, 200);
  return `${status} ${message || statusText}`.trim();
}

/** The seconds after which a server takes requests again, if it says so. */
export function secondsToWait(headers: Headers): number | undefined {
  const after = headers.get("retry-after") ?? /(?:^|;)\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  return after != null && /^\d+$/.test(after.trim()) ? Number(after) : undefined;
}
