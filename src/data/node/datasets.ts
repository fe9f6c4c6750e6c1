/** One file of a public corpus. */
export interface DatasetFile {
  /** Its name in the corpus's folder. */
  readonly name: string;
  /** An address whose content does not change, such as a file of one commit. */
  readonly url: string;
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** A public corpus that `qkv data get NAME` fetches. */
export interface Dataset {
  readonly description: string;
  /** As stated at its source; who uses the data must keep to it. */
  readonly licence: string;
  readonly files: readonly DatasetFile[];
}

/**
 * The corpora that can be fetched by name. Only those stand here whose address is pinned and whose checksum is that of
 * a copy that was used: the Tatoeba pairs of manythings.org, for one, change at their address every few weeks.
 */
export const datasets: Readonly<Record<string, Dataset>> = {
  tinyshakespeare: {
    description: "40,000 lines from Shakespeare's plays, one file of 1.1 MB",
    licence: "the text is in the public domain; collected in karpathy/char-rnn (MIT)",
    files: [
      {
        name: "input.txt",
        url: "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        bytes: 1_115_394,
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
      },
    ],
  },
};
