/**
 * Runs the conformance list on every device there is and writes the table of docs/devices.md. Run it with
 *
 *   npm run bench -- devices
 *
 * Each device runs in a process of its own; WebGPU needs SwiftShader (see test/conformance/swiftshader.ts), and its
 * column is left out where that is missing.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createCpuDevice, type Engine } from "../src/runtime/cpu-device.ts";
import type { Device } from "../src/runtime/device.ts";
import { openCpu } from "../src/runtime/node/engine.ts";
import { openWasm } from "../src/runtime/web/engine.ts";
import { firstDifference, type Outcome, type Results, runOnDevice } from "../test/conformance/check.ts";
import { checks } from "../test/conformance/checks.ts";
import { swiftShaderEnvironment, swiftShaderFolder } from "../test/conformance/swiftshader.ts";

/** What a device's process says of one check. */
interface Line {
  readonly subject: string;
  readonly kind: "forward" | "gradient";
  readonly error: number | undefined;
  readonly refused: string | undefined;
  /** Whether two threads gave the bits of one, where that was tried. */
  readonly sameBits: boolean | undefined;
  /** ONNX operators that WebGPU left to the CPU, with the type of their first input. */
  readonly onCpu: readonly string[];
}

const gradientRuns = 20;
const wrong = 2e-5;

async function runAll(
  device: Device,
  extra: (outcome: Outcome, index: number) => Promise<Partial<Line>> | Partial<Line> = () => ({}),
): Promise<Line[]> {
  const lines: Line[] = [];
  for (const [index, { subject, kind, size, prepare }] of checks.entries()) {
    const { problem, expected } = prepare();
    const again = kind === "gradient" && size === "large" && device.threads > 1 ? gradientRuns : 1;
    const outcome = await runOnDevice(device, problem, expected, again);
    lines.push({
      subject,
      kind,
      error: outcome.status === "ran" ? outcome.error : undefined,
      refused: outcome.status === "refused" ? outcome.reason : undefined,
      sameBits: undefined,
      onCpu: [],
      ...(await extra(outcome, index)),
    });
  }
  return lines;
}

/** One thread, then two, and whether they agree. */
async function runNode(): Promise<Record<string, Line[]>> {
  const one = await openCpu({ threads: 1 });
  const results: (Results | undefined)[] = [];
  const lines = await runAll(one, (outcome) => {
    results.push(outcome.status === "ran" ? outcome.results : undefined);
    return {};
  });
  const two = await openCpu({ threads: 2 });
  const linesOfTwo = await runAll(two, (outcome, index) => {
    const other = results[index];
    return {
      sameBits: outcome.status === "ran" && other && firstDifference(other, outcome.results) === undefined,
    };
  });
  return { "Node CPU, 1 thread": lines, "Node CPU, 2 threads": linesOfTwo };
}

/** WebGPU, with a profile of every session that tells which operators ran on the CPU. */
async function runWebGpu(): Promise<Record<string, Line[]>> {
  const engine = await import("onnxruntime-node");
  const folder = mkdtempSync(join(tmpdir(), "qkv-profiles-"));
  type Session = Awaited<ReturnType<typeof engine.InferenceSession.create>>;
  const create = async (bytes: Uint8Array, options: object) => {
    const profile = { enableProfiling: true, profileFilePrefix: join(folder, "session") };
    const session = await engine.InferenceSession.create(bytes, { ...options, ...profile });
    return {
      run: (feeds: Parameters<Session["run"]>[0]) => session.run(feeds),
      async release() {
        session.endProfiling();
        await session.release();
      },
    };
  };
  const profiled = { Tensor: engine.Tensor, InferenceSession: { create } } as unknown as Engine;
  const session = { executionProviders: ["webgpu"] };
  const device = createCpuDevice(profiled, { engineName: "profiled", threads: 1, session });
  try {
    const lines = await runAll(device, () => ({ onCpu: operatorsOnCpu(folder) }));
    return { WebGPU: lines };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface ProfileEvent {
  readonly cat: string;
  readonly args?: {
    readonly op_name?: string;
    readonly provider?: string;
    /** One object for each input: its type and shape. */
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/**
 * `FusedMatMul (float)`: the operators that the profile in a folder shows on the CPU, with the type of their first
 * input. Arithmetic with lengths is left out: ONNX Runtime keeps it on the CPU on purpose. The profile is removed.
 */
function operatorsOnCpu(folder: string): string[] {
  const operators = new Set<string>();
  for (const file of readdirSync(folder)) {
    const events = JSON.parse(readFileSync(join(folder, file), "utf8")) as ProfileEvent[];
    for (const { cat, args } of events) {
      if (cat !== "Node" || args?.provider !== "CPUExecutionProvider") continue;
      const inputs = (args.input_type_shape ?? []).flatMap((input) => Object.entries(input));
      const isOfLengths = inputs.every(([type, shape]) => type === "int64" && shape.length <= 1);
      if (!isOfLengths) operators.add(`${args.op_name} (${inputs[0]![0]})`);
    }
    rmSync(join(folder, file));
  }
  return [...operators].sort();
}

const processes: Readonly<Record<string, () => Promise<Record<string, Line[]>>>> = {
  node: runNode,
  wasm: async () => ({ "WASM, 1 thread": await runAll(await openWasm({ threads: 1 })) }),
  "wasm-threads": async () => {
    const engine = await import("onnxruntime-web");
    return { "WASM, 2 threads": await runAll(await openWasm({ threads: 2, engine })) };
  },
  webgpu: runWebGpu,
};

/** Runs a device in a process of its own. */
function inProcess(name: string, folder: string): Record<string, Line[]> {
  const file = join(folder, `${name}.json`);
  const environment = name === "webgpu" ? swiftShaderEnvironment(swiftShaderFolder!) : {};
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), name, file], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) console.error(`${name}: ended with ${status}`);
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, Line[]>;
}

/** `ok 3e-7`: the worst of a subject's checks. */
function cell(lines: readonly Line[]): string {
  if (lines.length === 0) return "";
  const refused = lines.find((line) => line.refused !== undefined)?.refused;
  if (refused !== undefined) return `refused: ${refused.replaceAll("|", "/").slice(0, 120)}`;
  // JSON writes what is not finite as null.
  const error = Math.max(...lines.map((line) => line.error ?? Number.POSITIVE_INFINITY));
  return `${error <= wrong ? "ok" : "wrong"} ${error === 0 ? "0" : error.toExponential(0)}`;
}

function table(devices: Readonly<Record<string, readonly Line[]>>): string {
  const names = Object.keys(devices);
  const rows = new Map(checks.map(({ subject, kind }) => [`${subject}/${kind}`, { subject, kind }]));
  const lines = [
    `| operator | ${names.join(" | ")} | WebGPU leaves to the CPU |`,
    `|${"---|".repeat(names.length + 2)}`,
  ];
  for (const { subject, kind } of rows.values()) {
    const ofRow = (name: string) =>
      devices[name]!.filter((line) => line.subject === subject && line.kind === kind);
    const onCpu = [...new Set(names.flatMap((name) => ofRow(name).flatMap((line) => line.onCpu)))].sort();
    const title = kind === "forward" ? subject : `${subject}, gradient`;
    lines.push(`| ${title} | ${names.map((name) => cell(ofRow(name))).join(" | ")} | ${onCpu.join(", ")} |`);
  }
  return lines.join("\n");
}

function agreement(lines: readonly Line[]): string {
  const compared = lines.filter((line) => line.sameBits !== undefined);
  const different = compared.filter((line) => line.sameBits === false);
  const subjects = [...new Set(different.map(({ subject, kind }) => `${subject} (${kind})`))];
  const which = subjects.length === 0 ? "" : `; the others: ${subjects.join(", ")}`;
  return `Two threads give the bits of one in ${compared.length - different.length} of ${compared.length} checks${which}.`;
}

async function main([name, file]: readonly string[]): Promise<void> {
  if (name !== undefined && file !== undefined) {
    writeFileSync(file, JSON.stringify(await processes[name]!()));
    process.exit(0);
  }
  const folder = mkdtempSync(join(tmpdir(), "qkv-devices-"));
  const wanted = Object.keys(processes).filter((one) => one !== "webgpu" || swiftShaderFolder !== undefined);
  const devices: Record<string, Line[]> = Object.assign({}, ...wanted.map((one) => inProcess(one, folder)));
  rmSync(folder, { recursive: true });
  const path = "docs/devices.md";
  const [before, after] = readFileSync(path, "utf8").split(/<!-- table -->[\s\S]*<!-- end of table -->/);
  const measured = `${agreement(devices["Node CPU, 2 threads"]!)}\n\n${table(devices)}`;
  writeFileSync(path, `${before}<!-- table -->\n${measured}\n<!-- end of table -->${after}`);
}

await main(process.argv.slice(2));
