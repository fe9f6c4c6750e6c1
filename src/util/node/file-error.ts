import { QkvError } from "../errors.ts";

/** What the codes of the operating system mean, and the way out. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder; check the path",
  EACCES: "permission denied; check who may read and write it",
  EPERM: "the system does not permit it; check who may read and write it",
  EISDIR: "it is a folder, where a file is needed",
  ENOTDIR: "a part of the path is a file, where a folder is needed",
  ENOSPC: "no space is left on the disk; free some and try again",
  EDQUOT: "the disk quota is used up; free some space and try again",
  EROFS: "the disk can only be read; choose another place",
  EMFILE: "too many files are open; close some or raise the limit (ulimit -n)",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "the name is too long; choose a shorter one",
};

/**
 * A failure of the file system as one sentence with the path and the way out. A `QkvError` is passed on as it
 * is.
 * @param action - what could not be done, as in "cannot read"
 */
export function fileError(path: string, action: string, cause: unknown): QkvError {
  if (cause instanceof QkvError) return cause;
  const code = errorCode(cause);
  const reason = (code && reasons[code]) ?? (cause instanceof Error ? cause.message : String(cause));
  return new QkvError("file", `${path}: ${action}; ${reason}`, { cause });
}

/** The operating system's name for a failure, such as "ENOENT", if it is one. */
export function errorCode(cause: unknown): string | undefined {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : undefined;
}
