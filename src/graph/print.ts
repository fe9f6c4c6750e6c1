import { formatDims } from "./dims.ts";
import { sortNodes, type Tensor } from "./tensor.ts";

/**
 * A graph as people read it, one value a line:
 * `%3 [batch, model=4] = contract(%0, %2; over=model)   # encoder.layers.0`
 */
export function printGraph(outputs: Readonly<Record<string, Tensor>>): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  for (const node of sortNodes(Object.values(outputs))) {
    const results = node.outputs.map((output) => {
      const name = `%${names.size}`;
      names.set(output, name);
      const type = output.dtype === "float32" ? "" : `${output.dtype} `;
      return `${name} ${type}${formatDims(output.dims)}`;
    });
    const inputs = node.inputs.map((input) => names.get(input)!);
    const attributes = Object.entries(node.attributes)
      .filter(([name]) => name !== "dims" && name !== "dtype")
      .map(([name, value]) => `${name}=${formatAttribute(value)}`);
    const call = [inputs.join(", "), ...(attributes.length > 0 ? [attributes.join(", ")] : [])].filter(
      Boolean,
    );
    const comment = node.scope === "" ? "" : `   # ${node.scope}`;
    lines.push(`${results.join(", ")} = ${node.operator}(${call.join("; ")})${comment}`);
  }
  for (const [name, output] of Object.entries(outputs)) lines.push(`return ${name} = ${names.get(output)!}`);
  return lines.join("\n");
}

function formatAttribute(value: unknown): string {
  if (ArrayBuffer.isView(value) || (Array.isArray(value) && value.length > 8)) return "...";
  if (Array.isArray(value)) return value.map(formatAttribute).join("·");
  if (typeof value === "object" && value !== null) {
    if ("name" in value && "size" in value)
      return formatDims([value as { name: string; size: number }]).slice(1, -1);
    return Object.entries(value)
      .map(([from, to]) => `${from}→${to}`)
      .join("·");
  }
  return String(value);
}
