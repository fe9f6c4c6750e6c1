/** In the browser: shows the values of curves at the place where the pointer is, in all panels of a picture. */

interface Point {
  readonly x: number;
  readonly y: number;
  readonly at: string;
  readonly value: string;
}

const svgName = "http://www.w3.org/2000/svg";

/** The points of a curve, read from its `data-values`. */
function pointsOf(curve: SVGElement): Point[] {
  const text = curve.dataset.values ?? "";
  return text === ""
    ? []
    : text.split(";").map((entry) => {
        const [x = "0", y = "0", at = "", value = ""] = entry.split("|");
        return { x: Number(x), y: Number(y), at, value };
      });
}

/** The point nearest to a place, by halving. */
function nearest(points: readonly Point[], x: number): Point | undefined {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.x < x) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [points[low - 1], points[low]];
  return before !== undefined && after !== undefined && x - before.x < after.x - x ? before : after;
}

function boundsOf(panel: SVGElement): { left: number; top: number; right: number; bottom: number } {
  const [left = 0, top = 0, right = 0, bottom = 0] = (panel.dataset.plot ?? "").split(" ").map(Number);
  return { left, top, right, bottom };
}

function clear(chart: HTMLElement): void {
  for (const old of chart.querySelectorAll(".tip,.cross,.mark")) old.remove();
}

function show(chart: HTMLElement, event: PointerEvent): void {
  const svg = chart.querySelector<SVGSVGElement>("svg.curves");
  const matrix = svg?.getScreenCTM();
  clear(chart);
  if (svg === null || !matrix) return;
  const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  const panels = [...svg.querySelectorAll<SVGElement>(".panel")];
  const panel = panels.find((candidate) => {
    const { left, top, right, bottom } = boundsOf(candidate);
    return place.x >= left - 8 && place.x <= right + 8 && place.y >= top - 20 && place.y <= bottom + 20;
  });
  if (panel === undefined) return;
  const { left, top, right, bottom } = boundsOf(panel);
  const x = Math.min(right, Math.max(left, place.x));
  const tip = document.createElement("div");
  tip.className = "tip";
  const lines: Node[] = [];
  for (const curve of panel.querySelectorAll<SVGElement>("[data-values]")) {
    const point = nearest(pointsOf(curve), x);
    if (point === undefined) continue;
    const mark = document.createElementNS(svgName, "circle");
    mark.setAttribute("class", "mark dot");
    mark.setAttribute("cx", String(point.x));
    mark.setAttribute("cy", String(point.y));
    mark.setAttribute("r", "4");
    curve.append(mark);
    const line = document.createElement("div");
    const swatch = document.createElement("i");
    swatch.textContent = "● ";
    swatch.style.color = getComputedStyle(curve).color;
    const value = document.createElement("b");
    value.textContent = point.value;
    line.append(swatch, `${curve.dataset.name ?? ""} `, value, ` at ${point.at}`);
    lines.push(line);
  }
  if (lines.length === 0) return;
  tip.append(...lines);
  const cross = document.createElementNS(svgName, "path");
  cross.setAttribute("class", "cross");
  cross.setAttribute("d", `M${x},${top}V${bottom}`);
  panel.append(cross);
  chart.append(tip);
  const box = chart.getBoundingClientRect();
  const beside = event.clientX - box.left + 14;
  const isFar = beside + tip.offsetWidth > box.width;
  tip.style.left = `${isFar ? beside - tip.offsetWidth - 28 : beside}px`;
  tip.style.top = `${event.clientY - box.top + 14}px`;
}

/** Where the pointer was last, so that a new picture shows its values there. */
let last: PointerEvent | undefined;
for (const chart of document.querySelectorAll<HTMLElement>(".chart")) {
  chart.addEventListener("pointermove", (event) => {
    last = event;
    show(chart, event);
  });
  chart.addEventListener("pointerleave", () => {
    last = undefined;
    clear(chart);
  });
  chart.addEventListener("redrawn", () => last && show(chart, last));
}
