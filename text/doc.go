// Package text turns texts into the tokens of a model and back, with the ids of the library that the model was trained with:
//
//	t, err := text.OpenDir("all-MiniLM-L6-v2", text.OpenOptions{})
//	e, err := t.EncodePair("Who wrote it?", "Ada wrote it.", text.Options{})
//	e.Tokens   // [CLS] who wrote it ? [SEP] ada wrote it . [SEP]
//	e.IDs      // 101 2040 2626 2009 1029 102 ...
//	e.Offsets  // bytes of each token in its text
//	s := t.Decode(e.IDs, text.DecodeOptions{SkipSpecial: true})
//
// The reference is tokenizers 0.23.3 of Hugging Face for a tokenizer.json, and AutoTokenizer of transformers 5.23 for a folder.
// SigLIP's tokenizer is Python code around SentencePiece 0.2.3. Ids, offsets and decoded text are equal on every input. Files that
// would give other ids are refused, and the error names the component or the field.
//
// # How a text becomes tokens
//
//  1. Added tokens, such as [MASK], are cut out of the text.
//  2. A normalizer changes the rest: lower case, accents, Unicode forms.
//  3. Added tokens are cut out of the normalized text.
//  4. A pre-tokenizer splits it into words.
//  5. A model cuts words into tokens: WordPiece, BPE, Unigram or WordLevel.
//  6. Truncation cuts what is too long. A post-processor adds special tokens. Padding fills up.
//
// Every step keeps the place of each character, so that offsets count in the original text.
//
// # Files
//
// [Open] reads a model folder. [Parse] reads a tokenizer.json. [Tokenizer.MarshalJSON] writes one. [Train] makes a
// tokenizer from texts.
//
// # Texts from outside
//
// Any text can be encoded: invalid UTF-8, NUL, megabytes without a space. Time is linear in the length. An encoding without
// [Truncation.Overflow] is linear too; windows of pairs are as many as the product of the windows of both texts.
//
// A special token in a text is a special token, whoever wrote the text. [Options.PlainSpecial] reads it as ordinary text.
package text
