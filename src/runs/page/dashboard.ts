/** In the browser: shows the parts of the page as the server sends them, and passes on what is asked of the run. */

interface Part {
  readonly id: string;
  readonly html: string;
}

const axis = document.querySelector<HTMLSelectElement>("#axis")!;
const note = document.querySelector<HTMLElement>("#note")!;
const chart = document.querySelector<HTMLElement>(".chart")!;
let source: EventSource | undefined;

function say(text: string): void {
  note.textContent = text;
  note.hidden = text === "";
}

function show({ id, html }: Part): void {
  const place = document.getElementById(id);
  if (place === null) return;
  const list = place.querySelector(".messages");
  const wasAtEnd = list === null || list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  place.innerHTML = html;
  if (place.tagName === "SECTION") place.hidden = html === "";
  if (id === "curves") chart.dispatchEvent(new Event("redrawn"));
  const now = place.querySelector(".messages");
  if (now !== null && wasAtEnd) now.scrollTop = now.scrollHeight;
}

function listen(): void {
  source?.close();
  source = new EventSource(`/events?axis=${axis.value}`);
  source.addEventListener("open", () => say(""));
  source.addEventListener("part", ({ data }: MessageEvent<string>) => show(JSON.parse(data) as Part));
  source.addEventListener("end", ({ data }: MessageEvent<string>) => {
    source?.close();
    say(JSON.parse(data) as string);
  });
  source.addEventListener("error", () => say("The connection is lost; trying again ..."));
}

document.querySelector("#controls")!.addEventListener("click", async ({ target }) => {
  const button = (target as Element).closest<HTMLButtonElement>("[data-do]");
  if (button === null) return;
  button.disabled = true;
  try {
    const answer = await fetch(`/${button.dataset.do}`, { method: "POST" });
    if (!answer.ok) say(((await answer.json()) as { error: string }).error);
  } catch {
    say("The training does not answer.");
  }
});
axis.addEventListener("change", listen);
listen();
