/** How a model on a hub is named: `google-bert/bert-base-uncased`, maybe with `@` and a revision. */
import { QkvError } from "../util/errors.ts";

export interface HubName {
  /** `organisation/name`; the oldest models have a name alone, such as `gpt2`. */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

export const defaultRevision = "main";

const part = String.raw`(?![-.])[\w.-]{1,96}(?<![-.])`;
const repositoryPattern = new RegExp(`^(?:${part}/)?${part}$`);
/** As git's rules have it; it becomes a path in the cache, so that no part of it may lead upwards. */
const revisionPattern = /^(?:(?!\.)[\w.+@=-]+\/)*(?!\.)[\w.+@=-]+$/;

/** Reads `organisation/name` or `organisation/name@revision`; undefined where a text cannot be a model's name. */
export function parseHubName(text: string): HubName | undefined {
  const at = text.indexOf("@");
  const repository = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? defaultRevision : text.slice(at + 1);
  if (!repositoryPattern.test(repository) || /--|\.\./.test(repository)) return undefined;
  return isRevision(revision) ? { repository, revision } : undefined;
}

/**
 * The name that is meant, with the revision in the name or beside it.
 * @throws QkvError "option" where it is no name, or there are two revisions
 */
export function readHubName(text: string, revision?: string): HubName {
  const name = parseHubName(text);
  if (name === undefined) {
    throw new QkvError(
      "option",
      `hub: a model's name is ORGANISATION/NAME or ORGANISATION/NAME@REVISION; got "${text}"`,
    );
  }
  if (revision === undefined) return name;
  if (text.includes("@") && name.revision !== revision) {
    throw new QkvError(
      "option",
      `hub: one revision can be asked for; got "${name.revision}" in the name and "${revision}"; leave one out`,
    );
  }
  if (!isRevision(revision)) {
    throw new QkvError("option", `hub: a revision is a branch, a tag or a commit; got "${revision}"`);
  }
  return { ...name, revision };
}

/** Whether a revision names one commit for ever, where a branch or tag may move. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

function isRevision(text: string): boolean {
  return text.length <= 255 && revisionPattern.test(text) && !/\.\.|@\{|\.lock$/.test(text);
}
