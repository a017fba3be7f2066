// Package train makes vocabularies from counted words:
//
//	words := maps.All(map[string]int{"low": 5, "lower": 2, "newest": 6, "widest": 3})
//	o, err := train.BPE(ctx, words, train.MergeOptions{Size: 30, Special: []string{"<unk>"}})
//	o.Unknown = new("<unk>")
//	m, err := model.NewBPE(o)
//
// [BPE] and [WordPiece] merge the most frequent pair of neighbors until the vocabulary is large enough (R. Sennrich and
// others, "Neural machine translation of rare words with subword units", 2016). [Unigram] begins with all frequent
// substrings and drops those that matter least, between steps of expectation maximization (T. Kudo, "Subword
// regularization", 2018).
//
// The results are those of the trainers of tokenizers 0.23.3 where those are deterministic. The order of the words does
// not matter, and nor does the number of threads: the same counts give the same vocabulary. Choices that the reference
// makes by the order of a hash table are made by the order of the words' bytes.
package train
