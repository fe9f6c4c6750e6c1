import { existsSync } from "node:fs";

/** Chromium, where there is one: by its variable, or where Debian and Chrome put it. */
export const chromiumPath = [
  process.env.QKV_CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/opt/google/chrome/chrome",
].find((path) => path !== "" && existsSync(path));

/** Why a test was skipped, for its title. */
export const needsChromium =
  chromiumPath === undefined ? " (skipped: needs Chromium; install it, or name it in QKV_CHROMIUM)" : "";

/** Flags with which it runs in a container and asks nothing of the network by itself. */
export const chromiumFlags: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
