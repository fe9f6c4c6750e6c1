/** One file of a public corpus, whose content is known. */
export interface DatasetFile {
  /** Its name in the corpus's folder. */
  readonly name: string;
  /**
   * An address whose content does not change, such as a file of one commit. Left out where the file may not be passed
   * on: it is only checked then.
   */
  readonly url?: string;
  /** How the address holds it; left out = as it is. Size and checksum are those of the file itself. */
  readonly compression?: "gzip";
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** A file of sentence pairs in a zip archive that is published anew every so often. */
export interface ChangingPairs {
  /** Its name in the corpus's folder. Of each line the first two columns stay. */
  readonly name: string;
  readonly url: string;
  /** The file in the archive. */
  readonly member: string;
  /** Of the pairs of `date`, which figures were measured on. */
  readonly sha256: string;
  readonly bytes: number;
  readonly lines: number;
  readonly date: string;
}

/** A public corpus that `qkv data get NAME` fetches. */
export interface Dataset {
  readonly description: string;
  /** As stated at its source; who uses the data must keep to it. */
  readonly licence: string;
  readonly files: readonly DatasetFile[];
  readonly changing?: ChangingPairs;
  /** Where to get the files that have no address, as the end of a sentence. */
  readonly elsewhere?: string;
}

const multi30k =
  "https://raw.githubusercontent.com/multi30k/dataset/c9be912dc05a3ebf9ae5bb5f7f58c1791cda43ab/data/task1/raw";
const wikitext2 =
  "https://raw.githubusercontent.com/pytorch/examples/37ce9402ff0cae48d764d7788810fd2ed8238b25/word_language_model/data/wikitext-2";

/**
 * The corpora that can be fetched by name. Each checksum is that of a copy that was used, so that whatever an address
 * gives, only that content gets the file's name.
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
  multi30k: {
    description: "image captions, English and German, 29,000 pairs for training (task 1, raw)",
    licence: "none stated; a model trained on it should not be passed on",
    files: [
      {
        name: "train.en",
        url: `${multi30k}/train.en.gz`,
        compression: "gzip",
        bytes: 1_801_238,
        sha256: "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
      },
      {
        name: "train.de",
        url: `${multi30k}/train.de.gz`,
        compression: "gzip",
        bytes: 2_110_398,
        sha256: "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
      },
      {
        name: "val.en",
        url: `${multi30k}/val.en.gz`,
        compression: "gzip",
        bytes: 63_297,
        sha256: "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
      },
      {
        name: "val.de",
        url: `${multi30k}/val.de.gz`,
        compression: "gzip",
        bytes: 75_981,
        sha256: "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
      },
      {
        name: "test_2016_flickr.en",
        url: `${multi30k}/test_2016_flickr.en.gz`,
        compression: "gzip",
        bytes: 62_076,
        sha256: "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
      },
      {
        name: "test_2016_flickr.de",
        url: `${multi30k}/test_2016_flickr.de.gz`,
        compression: "gzip",
        bytes: 70_649,
        sha256: "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
      },
      {
        name: "test_2017_flickr.en",
        url: `${multi30k}/test_2017_flickr.en.gz`,
        compression: "gzip",
        bytes: 55_242,
        sha256: "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98",
      },
      {
        name: "test_2017_flickr.de",
        url: `${multi30k}/test_2017_flickr.de.gz`,
        compression: "gzip",
        bytes: 64_059,
        sha256: "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081",
      },
      {
        name: "test_2017_mscoco.en",
        url: `${multi30k}/test_2017_mscoco.en.gz`,
        compression: "gzip",
        bytes: 24_949,
        sha256: "43051fdfa86fd5395182e718a94ca67b1b227b9f7c79596ff0f6b813216981d2",
      },
      {
        name: "test_2017_mscoco.de",
        url: `${multi30k}/test_2017_mscoco.de.gz`,
        compression: "gzip",
        bytes: 29_906,
        sha256: "58277df3c75f92f7145a11b910b553d1cf82c439249d4dc237c899609eafac22",
      },
    ],
  },
  "wikitext-2": {
    description: "Wikipedia articles in words, 2.1 million for training, rare ones as <unk>",
    licence: "CC BY-SA 3.0 (Wikipedia)",
    files: [
      {
        name: "wiki.train.tokens",
        url: `${wikitext2}/train.txt`,
        bytes: 10_797_148,
        sha256: "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
      },
      {
        name: "wiki.valid.tokens",
        url: `${wikitext2}/valid.txt`,
        bytes: 1_121_681,
        sha256: "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
      },
      {
        name: "wiki.test.tokens",
        url: `${wikitext2}/test.txt`,
        bytes: 1_256_449,
        sha256: "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
      },
    ],
  },
  conll2003: {
    description:
      "news with named entities in four columns (IOB1), 14,041 sentences for training; checked, not fetched",
    licence: "the text is Reuters', for research by agreement",
    elsewhere:
      "get the shared task's English files from its owners (https://www.clips.uantwerpen.be/conll2003/ner/)",
    files: [
      {
        name: "eng.train",
        bytes: 3_281_528,
        sha256: "eac0822f501353f265383ddf1edb0dcd42a1b6eefd3e383d7074db98c38eb41c",
      },
      {
        name: "eng.testa",
        bytes: 827_012,
        sha256: "aedc4ccbd1ae9795feaa0e86fe72d195b0258abed9d705b630d1c889276fac1e",
      },
      {
        name: "eng.testb",
        bytes: 748_096,
        sha256: "0632f32c090ef31c223135b7fee3187a7cf8e65c4015c7866bb7783428cdd9a6",
      },
    ],
  },
  "tatoeba-en-de": {
    description: "everyday sentences, English and German, 169,813 pairs (2018-05-13); grows at its source",
    licence: "CC BY 2.0 (tatoeba.org, by way of manythings.org/anki)",
    files: [],
    changing: {
      name: "pairs.tsv",
      url: "https://www.manythings.org/anki/deu-eng.zip",
      member: "deu.txt",
      sha256: "a79c90b3cd3102decffa49cc00fb6f20023974f2ae5c4782515bebe133fcc07b",
      bytes: 12_316_220,
      lines: 169_813,
      date: "2018-05-13",
    },
  },
};
