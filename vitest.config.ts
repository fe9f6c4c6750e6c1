import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    pool: "forks",
    maxWorkers: 2,
    // Whatever is named wrongly in a test must not be looked for in the internet.
    env: { HF_HUB_OFFLINE: "1" },
  },
});
