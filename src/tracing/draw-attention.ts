import { escapeMarkup } from "../util/markup.ts";
import type { TracedValue } from "./trace.ts";

export interface AttentionPicture {
  readonly title: string;
  /** The pieces that attend, one a row. */
  readonly queries: readonly string[];
  /** The pieces that are attended to, one a column. */
  readonly keys: readonly string[];
  /** One panel each: [1, head, query, key], the heads averaged or apart. */
  readonly panels: readonly { readonly caption: string; readonly weights: Float32Array }[];
}

const cell = 22;
const gap = 34;
const perRow = 3;
const family = "ui-sans-serif, system-ui, sans-serif";

/**
 * Attention weights as a picture: a self-contained SVG, readable on light and dark pages. The darker a cell, the more
 * the row's piece attends to the column's.
 */
export function drawAttention({ title, queries, keys, panels }: AttentionPicture): string {
  const left = 14 + 7.2 * Math.max(...queries.map((piece) => piece.length), 4);
  const top = 26 + 7.2 * Math.max(...keys.map((piece) => piece.length), 4) * 0.72;
  const panelWidth = left + keys.length * cell + gap;
  const panelHeight = top + queries.length * cell + gap;
  const columns = Math.min(perRow, panels.length);
  const width = Math.ceil(panelWidth * columns + 10);
  const height = Math.ceil(panelHeight * Math.ceil(panels.length / columns) + 44);
  const drawn = panels.map(({ caption, weights }, index) => {
    const x = (index % columns) * panelWidth;
    const y = 44 + Math.floor(index / columns) * panelHeight;
    return `<g transform="translate(${x.toFixed(1)} ${y.toFixed(1)})">${panel(caption, weights, queries, keys, left, top)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(title)}">`,
    "<style>text{fill:#24292f}.grid{stroke:#24292f;stroke-opacity:.12;fill:none}.weight{fill:#0b62d6}",
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#e6edf3;stroke-opacity:.16}.weight{fill:#58a6ff}}</style>",
    `<text x="14" y="26" font-family="${family}" font-size="16" font-weight="600">${escapeMarkup(title)}</text>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function panel(
  caption: string,
  weights: Float32Array,
  queries: readonly string[],
  keys: readonly string[],
  left: number,
  top: number,
): string {
  const cells: string[] = [];
  queries.forEach((_, row) => {
    keys.forEach((_, column) => {
      const weight = weights[row * keys.length + column]!;
      if (weight < 0.005) return;
      const place = `x="${(left + column * cell).toFixed(1)}" y="${(top + row * cell).toFixed(1)}"`;
      const label = `${queries[row]} → ${keys[column]}: ${weight.toFixed(3)}`;
      cells.push(
        `<rect class="weight" ${place} width="${cell}" height="${cell}" fill-opacity="${weight.toFixed(3)}"><title>${escapeMarkup(label)}</title></rect>`,
      );
    });
  });
  const words = (pieces: readonly string[], place: (index: number) => string) =>
    pieces.map(
      (piece, index) =>
        `<text font-family="${family}" font-size="12" ${place(index)}>${escapeMarkup(piece)}</text>`,
    );
  const lines: string[] = [];
  for (let row = 0; row <= queries.length; row++)
    lines.push(`M${left} ${top + row * cell}h${keys.length * cell}`);
  for (let column = 0; column <= keys.length; column++)
    lines.push(`M${left + column * cell} ${top}v${queries.length * cell}`);
  return [
    `<text font-family="${family}" font-size="12" font-weight="600" x="14" y="12">${escapeMarkup(caption)}</text>`,
    ...words(
      keys,
      (index) =>
        `transform="translate(${(left + index * cell + 8).toFixed(1)} ${(top - 6).toFixed(1)}) rotate(-45)"`,
    ),
    ...words(
      queries,
      (index) => `text-anchor="end" x="${(left - 6).toFixed(1)}" y="${(top + index * cell + 15).toFixed(1)}"`,
    ),
    ...cells,
    `<path class="grid" d="${lines.join("")}"/>`,
  ].join("");
}

/** The weights of all heads averaged. @param value - [1, head, query, key] @returns [query, key], row by row */
export function averageHeads({ shape, data }: TracedValue): Float32Array {
  const [, heads, queries, keys] = shape as [number, number, number, number];
  const size = queries * keys;
  const mean = new Float32Array(size);
  for (let index = 0; index < heads * size; index++) mean[index % size]! += data[index]! / heads;
  return mean;
}

/** The weights of one head. @param value - [1, head, query, key] */
export function headOf({ shape, data }: TracedValue, head: number): Float32Array {
  const [, , queries, keys] = shape as [number, number, number, number];
  return (data as Float32Array).subarray(head * queries * keys, (head + 1) * queries * keys);
}
