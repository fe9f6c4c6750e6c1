/** What a model of a task is used with, the first of all first; FILE stands for a file of the reader's. */
const commands: Readonly<Record<string, (folder: string) => readonly string[]>> = {
  translation: (folder) => [
    `qkv translate --model ${folder} "..."`,
    `qkv evaluate ${folder} --source FILE --references FILE`,
    `qkv trace ${folder} --text "..." --print`,
  ],
  "text-generation": (folder) => [`qkv complete --model ${folder} "..."`],
  "fill-mask": (folder) => [`qkv fill-mask --model ${folder} "..."`],
  "text-infilling": fineTuning,
  "span-corruption": fineTuning,
  "text2text-generation": (folder) => [`qkv summarize --model ${folder} "..."`],
  "text-classification": (folder) => [`qkv classify --model ${folder} "..."`],
  "token-classification": (folder) => [`qkv tag --model ${folder} "..."`],
  "question-answering": (folder) => [`qkv answer "..." --model ${folder} --input FILE`],
  "sentence-similarity": (folder) => [
    `qkv search "..." --model ${folder} --input FILE`,
    `qkv embed --model ${folder} "..."`,
  ],
};

/** A model that only restores texts is of use for what it learns next. */
function fineTuning(folder: string): readonly string[] {
  return [`qkv train --task text2text-generation --model ${folder} --train FILE --out ...`];
}

/** Commands for a model in a folder; none for a task that is not known. */
export function commandsOfTask(task: string, folder: string): readonly string[] {
  const quoted = quotedFolder(folder);
  return Object.hasOwn(commands, task) ? commands[task]!(quoted) : [];
}

/** A path as a shell reads it. */
export function quotedFolder(folder: string): string {
  return /^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
}
