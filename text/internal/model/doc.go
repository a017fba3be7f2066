// Package model cuts one word into the tokens of a vocabulary:
//
//	m, err := model.Parse([]byte(`{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
//		"max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "token": 1, "##izer": 2}}`))
//	tokens, err := m.Append(nil, "tokenizer") // [{ID:1 Start:0 End:5} {ID:2 Start:5 End:9}]
//
// There are four kinds of model: [WordPiece], [BPE], [Unigram] and [WordLevel]. [Parse] reads the "model" object of a
// tokenizer.json; NewWordPiece and the other constructors take a vocabulary from elsewhere. Ids, offsets and errors are
// those of tokenizers 0.23.3 (its folder tokenizers/src/models), for odd vocabularies too: equal tokens, equal ids, ids
// with holes, merges that repeat.
//
// A model is immutable and may be used by goroutines at once. Append allocates nothing but the growth of its result,
// beside a new word now and then: BPE and Unigram remember the tokens of short words in a cache of bounded size.
//
// # Speed
//
// WordPiece and Unigram walk a double-array trie, one lookup for each byte. BPE looks up pairs of ids in a hash table.
// It scans a short word for its next merge; a long word keeps its merges in a heap, so a word of n bytes takes n log n
// steps.
package model
