import { textToTextTask } from "./text-to-text.ts";

export interface TranslatedText {
  readonly translation_text: string;
  readonly truncated?: true;
}

/** Says in another language what a text says. */
export const translation = textToTextTask("translation_text");
