/**
 * How fast a translator is, and how much memory it holds after many translations. Run it with
 *
 *   npm run bench -- translation FILE [MODEL] [BEAMS] [COUNT]
 *
 * FILE has one source sentence a line and is read again from its beginning as often as COUNT (default 10,000)
 * translations need. The resident memory at the end should be within 2 % of that at a tenth of them; it is read after
 * a collection, so that it is what is held and not what happens to wait for the collector.
 */
import { readFileSync } from "node:fs";
import { openCpu } from "../src/runtime/node/engine.ts";
import { garbageCollector } from "../src/runtime/node/garbage.ts";
import { findModel } from "../src/tasks/node/shipped.ts";
import { openTranslator } from "../src/tasks/node/translation-folder.ts";

const [file, model = "models/tatoeba-en-de", beams = "5", count = "10000"] = process.argv.slice(2);
if (file === undefined) throw new Error("needs a file of sentences: npm run bench -- translation FILE");

const sentences = readFileSync(file, "utf8").trimEnd().split("\n");
const chunk = Math.min(sentences.length, Math.ceil(Number(count) / 10));
const begin = performance.now();
const device = await openCpu();
const translator = await openTranslator(await findModel(model), device);
await translator.translate([sentences[0]!]);
console.log(
  `${device.description}; ready and first sentence translated after ${Math.round(performance.now() - begin)} ms`,
);

const collect = garbageCollector();
const megabytes = () => {
  collect();
  return process.memoryUsage().rss / 2 ** 20;
};
let done = 0;
let atTenth = 0;
while (done < Number(count)) {
  const start = performance.now();
  const texts = Array.from({ length: chunk }, (_, index) => sentences[(done + index) % sentences.length]!);
  await translator.translate(texts, { numBeams: Number(beams) });
  done += chunk;
  const seconds = (performance.now() - start) / 1000;
  const resident = megabytes();
  if (done === chunk) atTenth = resident;
  console.log(
    `${done} translations: ${(chunk / seconds).toFixed(1)} a second, resident ${resident.toFixed(1)} MB`,
  );
}
console.log(
  `resident memory at the end: ${((megabytes() / atTenth - 1) * 100).toFixed(1)} % above that after ${chunk}`,
);
await translator.dispose();
await device.dispose();
