// Package text turns texts into the tokens of a model and back, with the ids of the library that the model was
// trained with:
//
//	t, err := text.OpenDir("all-MiniLM-L6-v2", text.OpenOptions{})
//	e, err := t.EncodePair("Who wrote it?", "Ada wrote it.", text.Options{})
//	e.Tokens   // [CLS] who wrote it ? [SEP] ada wrote it . [SEP]
//	e.IDs      // 101 2040 2626 2009 1029 102 ...
//	e.Offsets  // bytes of each token in its text
//	s := t.Decode(e.IDs, text.DecodeOptions{SkipSpecial: true})
//
// The reference is tokenizers 0.23.3 of Hugging Face for a tokenizer.json, and AutoTokenizer of transformers 5.23 for a
// folder. SigLIP's tokenizer is Python code around SentencePiece 0.2.3. Ids, offsets and decoded text are equal on
// every input. Files that would give other ids are refused, and the error names the component or the field.
//
// # How a text becomes tokens
//
//  1. Added tokens, such as [MASK], are found in the text and kept whole.
//  2. A normalizer changes the rest: lower case, accents, Unicode forms.
//  3. More added tokens are found in the normalized text and kept whole.
//  4. A pre-tokenizer splits it into words.
//  5. A model cuts words into tokens: WordPiece, BPE, Unigram or WordLevel.
//  6. Truncation cuts what is too long. A post-processor adds special tokens. Padding fills up.
//
// Every step keeps the place of each character, so that offsets count in the original text.
//
// # Tasks
//
//   - Count tokens: [Encoding.Len] of what [Tokenizer.Encode] returns.
//   - A batch for a model: [Tokenizer.EncodeBatch] with [Tokenizer.Defaults] cuts to the limit of the model, and pads.
//     Where the files state no limit or no padding token, Defaults leaves Truncation or Padding nil: set them yourself.
//   - A long text in windows: Options.Truncation = &Truncation{Max: 512, Stride: 128, Overflow: true}.
//   - A fixed length, as CLIP and SigLIP want: set Padding.Length where Defaults has a Padding.
//   - Text while a model generates: [Tokenizer.NewStream].
//   - A tokenizer of one's own: [Train], and [Tokenizer.MarshalJSON] for the bytes of a tokenizer.json.
//
// # Files
//
// [Open] reads a model folder, [OpenDir] one on disk. It takes the class that AutoTokenizer takes, and has the rules of
// these:
//
//   - WordPiece: BERT and its kin, DistilBERT, ELECTRA, Funnel, MPNet.
//   - Byte-level BPE: BART, Blenderbot, CodeGen, DeBERTa, GPT-2, GPT-NeoX, Qwen2, RoBERTa, Whisper. CLIP, GPT and
//     HerBERT end words with a suffix.
//   - SentencePiece: ALBERT, Barthez, BigBird, CamemBERT, DeBERTa-v2 and v3, Gemma, Llama, MBart, MBart-50, Pegasus,
//     RemBERT, SigLIP, SigLIP 2, T5, XLM-RoBERTa, XLNet.
//   - Every folder whose tokenizer.json counts as it is (PreTrainedTokenizerFast, TokenizersBackend).
//
// These are refused, and the error names the class or the file:
//
//   - Classes with other rules of their own: CodeLlama, Cohere, ConvBERT, DPR, ESMC, FNet, LASR, LayoutLMv2 and v3,
//     LayoutXLM, LUKE, mLUKE, MarkupLM, NLLB, Nougat, Parakeet, Qwen3_5, Reformer, RoFormer, SeamlessM4T, Splinter,
//     TIPSv2, UDOP, VideoPrism, XGLM.
//   - Classes that are Python code: BertJapanese, BERTweet, ByT5, Canine, CTRL, ESM, FSMT, M2M100, Marian, PhoBERT,
//     ProphetNet, Tapas, VITS, Wav2Vec2, XLM, and others.
//   - Classes of a folder's own code (auto_map).
//   - A vocabulary of tiktoken without a tokenizer.json.
//
// [Parse] reads the tokenizer.json of such a folder, without the rules that the class adds. A class that transformers
// does not know is read from its tokenizer.json alone. Where the vocabulary is missing, the error matches
// fs.ErrNotExist.
//
// # Texts from outside
//
// Any text can be encoded: invalid UTF-8, NUL, megabytes without a space. Time is linear in the length, unless
// [Truncation.Overflow] asks for the windows of a pair. A pair has a window for every window of the first text with
// every window of the second.
//
// A special token in a text is a special token, whoever wrote the text. [Options.PlainSpecial] reads it as ordinary
// text.
package text
