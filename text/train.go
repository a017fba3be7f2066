package text

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/normalize"
	"github.com/fovea-ml/fovea/text/internal/split"
	"github.com/fovea-ml/fovea/text/internal/train"
)

// Kind is a kind of model to train.
type Kind string

// The kinds, with the pipelines that tokenizers gives them (bindings/python/py_src/tokenizers/implementations).
const (
	BPE       Kind = "bpe"       // byte-level BPE as in GPT-2: no text has unknown tokens
	CLIP      Kind = "clip"      // byte-level BPE as in CLIP: lower case, and start and end tokens around a text
	WordPiece Kind = "wordpiece" // as in BERT: words and punctuation, [CLS] and [SEP] around a text
	Unigram   Kind = "unigram"   // as in SentencePiece: NFKC, and ▁ in the place of spaces
)

// TrainOptions describe a tokenizer to train.
type TrainOptions struct {
	Kind Kind // required
	// Size is the number of tokens; 0 is 30000, or 8000 for Unigram. Special tokens and the letters of bytes are always
	// in the vocabulary, even above Size: 256 letters for BPE, 512 for CLIP, which has each also at the end of a word.
	// A small text gives fewer tokens.
	Size int
	// Special are special tokens after those of the kind: <|endoftext|> for BPE; <|startoftext|> and <|endoftext|> for
	// CLIP, where they have the largest ids; [PAD], [UNK], [CLS], [SEP] and [MASK] for WordPiece; <unk>, <s>, </s> and
	// <pad> for Unigram.
	Special   []string
	Lowercase bool // in lower case, as CLIP always is; WordPiece then drops accents too
	// MinFrequency is how often a pair of tokens must occur to be merged; 0 means 2. Unigram does not use it.
	MinFrequency int

	// Progress, if any, is called while the vocabulary is made, with the number of its tokens and the number wanted.
	// Unigram begins with many tokens, and removes some at a time.
	Progress func(done, total int)
}

// Train makes a tokenizer from texts, such as the lines of files. Equal texts give an equal tokenizer, in any order and
// on any number of processors. It keeps the different words of the texts in memory, and not the texts.
//
// It returns an error for invalid options, the first error of texts, and the error of ctx. A text above 2 GiB is an
// error, and so is a Size of Unigram below the special tokens and the characters.
func Train(ctx context.Context, texts iter.Seq2[string, error], o TrainOptions) (*Tokenizer, error) {
	b, special, err := o.pipeline()
	if err != nil {
		return nil, err
	}
	words, err := countWords(ctx, b, texts)
	if err != nil {
		return nil, err
	}
	if b.model, err = o.train(ctx, maps.All(words), special); err != nil {
		return nil, err
	}
	var added []AddedToken
	for _, token := range special {
		added = append(added, AddedToken{Content: token, Special: true})
	}
	b.added = [][]AddedToken{added}
	return b.build()
}

// pipeline returns the parts beside the model, and the special tokens.
func (o TrainOptions) pipeline() (*builder, []string, error) {
	var normalizer, splitter, decoder object
	var special []string
	b := new(builder)
	switch o.Kind {
	case BPE:
		special = []string{"<|endoftext|>"}
		if o.Lowercase {
			normalizer = step("Lowercase", nil)
		}
		splitter = step("ByteLevel", object{"add_prefix_space": false, "trim_offsets": true, "use_regex": true})
		decoder = byteLevelDecoder
	case CLIP:
		special = []string{clipStart, clipEnd}
		normalizer, splitter, decoder = clipNormalizer(), clipSplitter(clipPattern), byteLevelDecoder
		b.clipPipeline()
	case WordPiece:
		special = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
		normalizer = step("BertNormalizer", object{"clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": o.Lowercase})
		splitter = step("BertPreTokenizer", nil)
		decoder = step("WordPiece", object{"prefix": "##", "cleanup": true})
		single := []item{{token: "[CLS]"}, {text: "A"}, {token: "[SEP]"}}
		b.late = templateOf(single, append(single[:3:3], item{text: "B", typeID: 1}, item{token: "[SEP]", typeID: 1}))
	case Unigram:
		special = []string{"<unk>", "<s>", "</s>", "<pad>"}
		steps := []object{step("Nmt", nil), step("NFKC", nil)}
		if o.Lowercase {
			steps = append(steps, step("Lowercase", nil))
		}
		steps = append(steps, step("Replace", object{"pattern": object{"Regex": " {2,}"}, "content": " "}))
		normalizer = step("Sequence", object{"normalizers": steps})
		splitter = step("Metaspace", object{"replacement": "▁", "prepend_scheme": "always", "split": true})
		decoder = splitter
	default:
		return nil, nil, fmt.Errorf("kind: expected %s, %s, %s or %s, found %q", BPE, CLIP, WordPiece, Unigram, o.Kind)
	}
	switch {
	case o.Size < 0:
		return nil, nil, fmt.Errorf("size: expected at least 0, found %d", o.Size)
	case o.MinFrequency < 0:
		return nil, nil, fmt.Errorf("minimum frequency: expected at least 0, found %d", o.MinFrequency)
	case slices.Contains(o.Special, ""):
		return nil, nil, fmt.Errorf("special tokens: expected texts, found an empty one")
	}
	for _, token := range o.Special {
		if !slices.Contains(special, token) {
			special = append(special, token)
		}
	}
	if err := b.put(normalizer, splitter, decoder); err != nil {
		return nil, nil, err
	}
	if o.Kind == BPE {
		b.processor = json.RawMessage(`{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}`)
	}
	return b, special, nil
}

// train makes the model.
func (o TrainOptions) train(ctx context.Context, words iter.Seq2[string, int], special []string) (model.Model, error) {
	merge := train.MergeOptions{Size: o.Size, MinFrequency: o.MinFrequency, Special: special, Progress: o.Progress}
	if o.MinFrequency == 0 {
		merge.MinFrequency = 2
	}
	switch o.Kind {
	case BPE:
		merge.Alphabet = normalize.ByteRunes[:]
		v, err := train.BPE(ctx, words, merge)
		if err != nil {
			return nil, err
		}
		return model.NewBPE(v)
	case CLIP:
		v, err := train.BPE(ctx, words, clipMergeOptions(merge, special))
		if err != nil {
			return nil, err
		}
		return model.NewBPE(clipVocabulary(v, special))
	case WordPiece:
		merge.LimitAlphabet = new(1000) // as BertWordPieceTokenizer
		v, err := train.WordPiece(ctx, words, merge)
		if err != nil {
			return nil, err
		}
		v.Unknown = new("[UNK]")
		return model.NewWordPiece(v)
	}
	v, err := train.Unigram(ctx, words, train.UnigramOptions{Size: o.Size, Special: special, Unknown: "<unk>", Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	return model.NewUnigram(v)
}

// batchBytes is the size of the texts that a goroutine counts at a time.
const batchBytes = 1 << 16

// countWords counts the words of texts, as the pipeline cuts them, on all processors.
func countWords(ctx context.Context, b *builder, texts iter.Seq2[string, error]) (map[string]int, error) {
	normalizer, err := normalize.Parse(b.normalizer)
	if err != nil {
		return nil, err
	}
	splitter, err := split.Parse(b.splitter)
	if err != nil {
		return nil, err
	}
	batches := make(chan []string)
	counts := make([]map[string]*int, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i := range counts {
		counts[i] = map[string]*int{}
		group.Go(func() {
			c := counter{normalizer: normalizer, splitter: splitter, counts: counts[i]}
			for batch := range batches {
				for _, text := range batch {
					c.add(text)
				}
			}
		})
	}
	err = feed(ctx, batches, texts)
	close(batches)
	group.Wait()
	if err != nil {
		return nil, err
	}
	total := map[string]int{}
	for _, c := range counts {
		for word, n := range c {
			total[word] += *n
		}
	}
	return total, nil
}

// feed sends the texts in batches.
func feed(ctx context.Context, batches chan<- []string, texts iter.Seq2[string, error]) error {
	var batch []string
	size := 0
	for text, err := range texts {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && len(text) > math.MaxInt32 {
			err = fmt.Errorf("text: expected at most %d bytes, found %d", math.MaxInt32, len(text))
		}
		if err != nil {
			return err
		}
		batch, size = append(batch, text), size+len(text)
		if size >= batchBytes {
			batches <- batch
			batch, size = nil, 0
		}
	}
	batches <- batch
	return ctx.Err()
}

// counter counts words in one goroutine.
type counter struct {
	normalizer normalize.Normalizer // nil: none
	splitter   split.Splitter
	scratch    normalize.Scratch
	pieces     []split.Piece
	counts     map[string]*int
}

// add counts the words of a text. Added tokens are words as others, as in the reference.
func (c *counter) add(text string) {
	c.scratch.Reset()
	text, _ = repair(text)
	s := normalize.New(text)
	if c.normalizer != nil {
		s = c.normalizer.Normalize(&c.scratch, s)
	}
	c.pieces = c.splitter.Split(&c.scratch, c.pieces[:0], s)
	for _, p := range c.pieces {
		word := p.Text()
		if n := c.counts[word]; n != nil {
			*n++
		} else {
			c.counts[strings.Clone(word)] = new(1)
		}
	}
}
