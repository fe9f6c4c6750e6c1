import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * SwiftShader is a Vulkan driver that computes on the CPU; with it the WebGPU provider of onnxruntime-node runs on
 * machines that have no GPU. Chromium brings it, together with the Vulkan loader.
 */
const folders = [
  process.env.QKV_SWIFTSHADER ?? "",
  "/usr/lib/chromium",
  "/opt/google/chrome",
  "/usr/lib64/chromium",
];

const driverOf = (folder: string): string => join(folder, "vk_swiftshader_icd.json");

/** The folder of Chromium that holds SwiftShader, where there is one. */
export const swiftShaderFolder = folders.find((folder) => folder !== "" && existsSync(driverOf(folder)));

/** Why a test was skipped, for its title. */
export const needsSwiftShader =
  swiftShaderFolder === undefined
    ? " (skipped: needs SwiftShader; install chromium, or name its folder in QKV_SWIFTSHADER)"
    : "";

/** The environment in which a new process finds SwiftShader; the loader is looked up when a process starts. */
export function swiftShaderEnvironment(folder: string): Record<string, string> {
  const libraries = [folder, process.env.LD_LIBRARY_PATH].filter((path) => path).join(":");
  return { VK_DRIVER_FILES: driverOf(folder), LD_LIBRARY_PATH: libraries };
}
