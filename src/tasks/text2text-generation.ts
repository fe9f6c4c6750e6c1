import { textToTextTask } from "./text-to-text.ts";

/** Writes whatever the model writes when it reads a text. */
export const text2textGeneration = textToTextTask("generated_text");
