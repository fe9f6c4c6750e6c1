import { textToTextTask } from "./text-to-text.ts";

export interface Summary {
  readonly summary_text: string;
  readonly truncated?: true;
}

/** Says in short what a text says. */
export const summarization = textToTextTask("summary_text");
