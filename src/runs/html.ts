/** Pages for people: one file each, that loads nothing from elsewhere, for light and dark screens. */

import { escapeMarkup } from "../util/markup.ts";

/** HTML that is already safe to put into a page. */
export type Html = string;

/** Text as HTML, also within quotes. */
export const escapeHtml: (text: string) => Html = escapeMarkup;

export interface PageParts {
  readonly title: string;
  readonly body: Html;
  /** Put into the page. */
  readonly scripts?: readonly string[];
  /** Addresses of modules that its own server has. */
  readonly modules?: readonly string[];
}

export function page({ title, body, scripts = [], modules = [] }: PageParts): Html {
  // A script's text must not hold what ends its element.
  const inline = scripts.map((text) => `<script type="module">${text.replaceAll("</", "<\\/")}</script>`);
  const linked = modules.map((address) => `<script type="module" src="${address}"></script>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${body}
${[...inline, ...linked].join("\n")}
</body>
</html>
`;
}

/** A part of a page under a heading; nothing where it is empty. */
export function section(heading: string, content: Html): Html {
  return content === "" ? "" : `<section><h2>${escapeHtml(heading)}</h2>\n${content}\n</section>`;
}

/** @param rows - the first is the head; a row's first cell names it */
export function table(head: readonly Html[], rows: readonly (readonly Html[])[], name = ""): Html {
  if (rows.length === 0) return "";
  const cells = (row: readonly Html[]) =>
    row.map((cell, index) => (index === 0 ? `<th scope="row">${cell}</th>` : `<td>${cell}</td>`)).join("");
  const headRow = head.map((cell) => `<th scope="col">${cell}</th>`).join("");
  const headPart = head.length === 0 ? "" : `<thead><tr>${headRow}</tr></thead>`;
  const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n");
  return `<div class="scroll"><table${name === "" ? "" : ` class="${name}"`}>${headPart}<tbody>${body}</tbody></table></div>`;
}

/** Numbers that are seen first. */
export function tiles(numbers: readonly (readonly [name: string, value: string])[]): Html {
  const tile = ([name, value]: readonly [string, string]) =>
    `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></div>`;
  return `<div class="tiles">${numbers.map(tile).join("\n")}</div>`;
}

const style = `
:root{--page:#f6f7f9;--card:#fff;--text:#1f2937;--muted:#6b7280;--line:#e3e6eb;--accent:#2563eb;--good:#047857;
--warn:#b45309;--bad:#b91c1c;--mark:#fef3c7}
@media(prefers-color-scheme:dark){:root{--page:#090d16;--card:#0f1420;--text:#e5e7eb;--muted:#9ca3af;--line:#1e2635;
--accent:#60a5fa;--good:#34d399;--warn:#fbbf24;--bad:#f87171;--mark:#3a2f0b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1024px;margin:0 auto;padding:24px 16px 64px}
header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;margin:8px 0 16px}
h1{font-size:26px;margin:0;overflow-wrap:anywhere}h2{font-size:16px;margin:0 0 12px}
#head{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;flex:1}
header p{flex-basis:100%;margin:0;color:var(--muted)}
.status{border:1px solid currentColor;border-radius:99px;padding:1px 10px;font-size:13px;color:var(--muted)}
.status.running,.status.preparing{color:var(--accent)}.status.finished{color:var(--good)}
.status.paused,.status.interrupted,.status.stopped{color:var(--warn)}.status.failed,.status.killed{color:var(--bad)}
section,.tile{background:var(--card);border:1px solid var(--line);border-radius:10px}
section{padding:16px 18px;margin:16px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px}
.tile{padding:10px 14px}.tile b{display:block;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 12px 5px 0;border-top:1px solid var(--line);vertical-align:top;font-weight:400}
thead th{border:0;color:var(--muted);font-size:13px}tbody th{color:var(--muted);white-space:nowrap}
table.numbers td,table.numbers thead th+th{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.set th,tr.set td:first-of-type{color:var(--text);font-weight:600}
.recipe{columns:2;column-gap:36px}.recipe>div{break-inside:avoid;margin-bottom:14px}
.recipe h3{font-size:14px;margin:0 0 2px}.recipe .scroll{overflow:visible}.recipe th,.recipe td{white-space:normal;overflow-wrap:anywhere}
.was{color:var(--muted);font-weight:400;font-size:12px;white-space:nowrap}
.sample{border-top:1px solid var(--line);padding:10px 0}.sample:first-of-type{border:0;padding-top:0}
.sample{overflow-wrap:anywhere}.sample li span:last-child{min-width:0}.sample p{margin:0 0 4px}.sample .reference,.muted{color:var(--muted)}
.sample ol{list-style:none;margin:6px 0 0;padding:0}.sample li{display:flex;gap:12px}
.sample li span:first-child{flex:0 0 84px;text-align:right;color:var(--muted);font-variant-numeric:tabular-nums}
.sample li.right span:last-child{color:var(--good)}.sample summary{color:var(--muted);cursor:pointer;font-size:13px}
pre{margin:0;overflow-x:auto;font:13px/1.6 ui-monospace,Menlo,Consolas,monospace}
.problems{color:var(--warn)}ul{margin:0;padding-left:20px}
svg.curves{display:block;width:100%;height:auto;border-radius:10px}
.chart{padding:0;overflow:hidden;position:relative}
.messages{max-height:260px;overflow-y:auto}.messages time{color:var(--muted);margin-right:10px;
font-variant-numeric:tabular-nums}.messages p{margin:0 0 2px;overflow-wrap:anywhere}
.bar{height:8px;border-radius:9px;background:var(--line);overflow:hidden;margin:0 0 14px}
.bar i{display:block;height:100%;background:var(--accent);transition:width .4s}
.controls{margin-left:auto;display:flex;gap:8px;align-items:center}
#controls{display:flex;gap:8px}
button{font:inherit;font-size:14px;padding:4px 14px;border:1px solid var(--line);border-radius:8px;
background:var(--card);color:var(--text);cursor:pointer}button:hover{border-color:var(--accent)}
button:disabled{opacity:.45;cursor:default;border-color:var(--line)}button.stop{color:var(--bad)}
.tip{position:absolute;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:6px 10px;font-size:12px;box-shadow:0 4px 14px #0003;white-space:nowrap;z-index:2}
.tip b{font-weight:600}.tip i{font-style:normal}
.cross{stroke:var(--muted);stroke-dasharray:3 3;fill:none}
[hidden]{display:none!important}
@media(max-width:700px){.recipe{columns:1}}
@media print{body{background:#fff}section{break-inside:avoid}}
`;
