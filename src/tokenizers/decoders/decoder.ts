/** A stage that turns tokens back into text: each changes the list of pieces, which is joined at the end. */
export type Decoder = (pieces: readonly string[]) => string[];
