package text

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/model"
)

// must reads a file that has to be there.
func (f *folder) must(name string) ([]byte, error) {
	data, err := f.read(name)
	for _, other := range []string{"tiktoken.model", "tekken.json"} {
		if _, missing := fs.Stat(f.fsys, other); err == nil && data == nil && missing == nil {
			return nil, fmt.Errorf("%s: a vocabulary of tiktoken is unsupported; expected a tokenizer.json, or %s for class %s", other, name, f.class)
		}
	}
	if err == nil && data == nil {
		err = fmt.Errorf("expected a tokenizer.json, or %s for class %s: %w", name, f.class, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	}
	return data, err
}

// readVocabulary reads a vocab.txt: a token a line, whose id is the number of the line. White space at the end of a
// line does not count, and of equal tokens the last counts, as for the reference.
func readVocabulary(data []byte) ([]model.Entry, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("expected UTF-8")
	}
	var out []model.Entry
	for line := range strings.Lines(string(data)) {
		out = append(out, model.Entry{Token: strings.TrimRightFunc(line, unicode.IsSpace), ID: len(out)})
	}
	return out, nil
}

// bpe makes a BPE model with options of a class, from tokenizer.json, a SentencePiece model, or vocab.json and
// merges.txt.
func (f *folder) bpe(options object) error {
	options["type"] = "BPE"
	if f.tokenizer != nil {
		m, err := f.fileModel("BPE")
		if err != nil {
			return err
		}
		options["vocab"], options["merges"] = m.Vocab, m.Merges
		return f.setModel(options)
	}
	pieces, err := f.sentencePiece()
	if err != nil {
		return err
	}
	if pieces != nil {
		options["vocab"], options["merges"] = pieceMerges(pieces.pieces)
		return f.setModel(options)
	}
	vocab, err := f.must("vocab.json")
	if err != nil {
		return err
	}
	merges, err := f.must("merges.txt")
	if err != nil {
		return err
	}
	if !utf8.Valid(merges) {
		return fmt.Errorf("merges.txt: expected UTF-8")
	}
	if options["merges"], err = model.ParseMerges(string(merges)); err != nil {
		return fmt.Errorf("merges.txt: %w", err)
	}
	if err := strictjson.Object(vocab, func(string, []byte) {}); err != nil {
		return fmt.Errorf("vocab.json: %w", err)
	}
	options["vocab"] = json.RawMessage(vocab)
	if err := f.setModel(options); err != nil {
		return fmt.Errorf("vocab.json, merges.txt: %w", err)
	}
	return nil
}

// pieceFiles are the names of the SentencePiece models of classes, where there is no tokenizer.model.
var pieceFiles = map[string]string{
	"AlbertTokenizer": "spiece.model", "T5Tokenizer": "spiece.model", "XLMRobertaTokenizer": "sentencepiece.bpe.model",
	"CamembertTokenizer": "sentencepiece.bpe.model", "DebertaV2Tokenizer": "spm.model",
	"BarthezTokenizer": "sentencepiece.bpe.model", "MBartTokenizer": "sentencepiece.bpe.model", "MBart50Tokenizer": "sentencepiece.bpe.model",
	"BigBirdTokenizer": "spiece.model", "PegasusTokenizer": "spiece.model",
	"RemBertTokenizer": "sentencepiece.model", "XLNetTokenizer": "spiece.model",
	"-SiglipTokenizer": "spiece.model",
}

// tiktokenLine is the first line of a vocabulary of tiktoken: a token in base64, and its rank.
var tiktokenLine = regexp.MustCompile(`^[A-Za-z0-9+/]+=* [0-9]+\r?\n`)

// sentencePiece reads the SentencePiece model of a folder, or returns nil where it has none. Control pieces and pieces
// of users become added tokens.
func (f *folder) sentencePiece() (*pieceModel, error) {
	for _, name := range []string{"tokenizer.model", pieceFiles[f.class]} {
		if name == "" {
			continue
		}
		data, err := f.read(name)
		if err != nil {
			return nil, err
		}
		if data == nil {
			continue
		}
		m, err := parsePieces(data)
		if err != nil && tiktokenLine.Match(data) {
			err = fmt.Errorf("a vocabulary of tiktoken is unsupported; expected a SentencePiece model")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.unknownID = &m.unknown
		if len(m.charsmap) > 0 {
			f.charsmap = base64.StdEncoding.EncodeToString(m.charsmap)
		}
		if !f.statesExtra() {
			f.extra = nil
			for _, p := range m.pieces {
				if p.kind == controlPiece || p.kind == userPiece {
					f.extra = append(f.extra, &spec{AddedToken: AddedToken{Content: p.text, Special: p.kind == controlPiece}})
				}
			}
		}
		return m, nil
	}
	return nil, nil
}

// pieceMerges returns the vocabulary of a list of pieces, and the merges that lead to each of them, as generate_merges
// of transformers does (tokenization_utils_base.py).
func pieceMerges(pieces []piece) (map[string]int, [][2]string) {
	ids := make(map[string]int, len(pieces))
	longest := 0
	for i, p := range pieces {
		ids[p.text] = i
		longest = max(longest, len(p.text))
	}
	known := make([]bool, longest+1) // lengths; a look-up of every part of a long piece would take quadratic time
	for _, p := range pieces {
		known[len(p.text)] = true
	}
	var all [][2]string
	for i, p := range pieces {
		if ids[p.text] != i {
			continue
		}
		// The order is by the length of the left part.
		for at := range p.text {
			if at == 0 || !known[at] || !known[len(p.text)-at] {
				continue
			}
			if _, ok := ids[p.text[:at]]; ok {
				if _, ok := ids[p.text[at:]]; ok {
					all = append(all, [2]string{p.text[:at], p.text[at:]})
				}
			}
		}
	}
	return ids, all
}

// at returns a function that gives the id of the unknown token, whatever the pieces are.
func at(id int) func([]model.Piece) int { return func([]model.Piece) int { return id } }

// unigram makes a Unigram model from tokenizer.json, or from a SentencePiece model whose pieces change rearranges.
// unknown gives the id of the unknown token.
func (f *folder) unigram(unknown func([]model.Piece) int, change func([]model.Piece) []model.Piece) error {
	if f.tokenizer != nil {
		m, err := f.fileModel("Unigram")
		if err != nil {
			return err
		}
		return f.setUnigram(m.parsed.(*model.Unigram).Pieces(), unknown)
	}
	p, err := f.sentencePiece()
	if err == nil && p == nil {
		_, err = f.must(pieceFiles[f.class])
	}
	if err != nil {
		return err
	}
	list := p.list()
	if change != nil {
		list = change(list)
	}
	return f.setUnigram(list, unknown)
}

func (f *folder) setUnigram(list []model.Piece, unknown func([]model.Piece) int) (err error) {
	id := unknown(list)
	if f.model, err = model.NewUnigram(model.UnigramOptions{Pieces: list, Unknown: &id}); err != nil {
		err = fmt.Errorf("model Unigram: %w", err)
	}
	return err
}

// list returns the pieces with their scores.
func (m *pieceModel) list() []model.Piece {
	out := make([]model.Piece, len(m.pieces))
	for i, p := range m.pieces {
		out[i] = model.Piece{Token: p.text, Score: float64(p.score)}
	}
	return out
}

// genericSentencePiece makes a tokenizer of the backend from a SentencePiece model
// (SpmConverter.build_tokenizer_from_spm_proto in convert_slow_tokenizer.py).
func (f *folder) genericSentencePiece() error {
	m, err := f.sentencePiece()
	if err == nil && m == nil {
		_, err = f.must("tokenizer.model")
	}
	if err != nil {
		return err
	}
	if m.kind == 1 {
		if len(f.settings.added) > 0 {
			return fmt.Errorf("tokenizer.model: added_tokens_decoder: unsupported beside a Unigram model without a class")
		}
		f.model, err = model.NewUnigram(model.UnigramOptions{Pieces: m.list(), Unknown: &m.unknown, ByteFallback: m.fallback})
	} else {
		vocab, merges := pieceMerges(m.pieces)
		names := map[int]string{}
		for name, id := range vocab {
			names[id] = name
		}
		for _, t := range f.settings.added { // pieces that the configuration renames
			old, ok := names[t.ID]
			if _, taken := vocab[t.Content]; ok && old != t.Content && !taken {
				delete(vocab, old)
				vocab[t.Content], names[t.ID] = t.ID, t.Content
			}
		}
		err = f.setModel(object{"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": m.unknownName, "fuse_unk": true, "byte_fallback": m.fallback})
	}
	if err != nil {
		return fmt.Errorf("tokenizer.model: %w", err)
	}
	for _, t := range []struct {
		id          int
		field, name string
	}{{m.bos, "bos_token", m.bosName}, {m.eos, "eos_token", m.eosName}, {m.unknown, "unk_token", m.unknownName}} {
		if t.id >= 0 {
			f.standard(plain(t.field, t.name))
		}
	}
	list := []object{gemmaNormalizer}
	if p := f.precompiled(); p != nil {
		list = []object{p, gemmaNormalizer}
	}
	decoder := sentencePieceDecoder(false)
	if !m.fallback {
		decoder = step("Replace", object{"pattern": object{"String": "▁"}, "content": " "})
	}
	return f.put(step("Sequence", object{"normalizers": list}), nil, decoder)
}

// clipMerges is the vocabulary of OpenAI's CLIP.
const clipMerges = "bpe_simple_vocab_16e6.txt.gz"

// clipCount is the number of merges that CLIP uses (simple_tokenizer.py).
const clipCount = 49152 - 256 - 2

// clipPattern cuts text into words (models/clip/tokenization_clip.py).
const clipPattern = `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

// openAIPattern is the pattern of OpenAI's code without special tokens, which are found before (simple_tokenizer.py).
const openAIPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)`

// clip is CLIPTokenizer, also with the vocabulary of OpenAI.
func (f *folder) clip() error {
	f.standard(plain("unk_token", "<|endoftext|>", "bos_token", "<|startoftext|>", "eos_token", "<|endoftext|>", "pad_token", "<|endoftext|>"))
	if err := f.needs("unk_token", "bos_token", "eos_token"); err != nil {
		return err
	}
	options := object{"continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": false, "unk_token": f.name("unk_token")}
	openAI, err := f.read(clipMerges)
	if err != nil {
		return err
	}
	if vocab, err := f.read("vocab.json"); err != nil {
		return err
	} else if openAI != nil && vocab == nil && f.tokenizer == nil {
		options["type"] = "BPE"
		if options["vocab"], options["merges"], err = readCLIP(openAI); err == nil {
			err = f.setModel(options)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", clipMerges, err)
		}
	} else if err := f.bpe(options); err != nil {
		return err
	}
	f.late, f.last = robertaOf(f.name("eos_token"), f.name("bos_token"), false, false), true
	f.config.suffix = "</w>"
	normalizer, pattern := clipNormalizer(), clipPattern
	if f.options.OpenAI {
		normalizer, pattern, f.config.openAI = nil, openAIPattern, true
	}
	return f.put(normalizer, clipSplitter(pattern), byteLevelDecoder)
}

// readCLIP reads the merges of OpenAI's CLIP. The vocabulary is the 256 letters of ByteLevel, the same at the ends of
// words, the merges, and both special tokens (simple_tokenizer.py).
func readCLIP(data []byte) (map[string]int, [][2]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, smallfile.Limit+1))
	if err != nil {
		return nil, nil, err
	}
	if len(plain) > smallfile.Limit {
		return nil, nil, fmt.Errorf("expected at most %d bytes, found more", smallfile.Limit)
	}
	if !utf8.Valid(plain) {
		return nil, nil, fmt.Errorf("expected UTF-8")
	}
	lines := strings.Split(string(plain), "\n")
	if len(lines) < clipCount+1 {
		return nil, nil, fmt.Errorf("expected %d lines, found %d", clipCount+1, len(lines))
	}
	merges := make([][2]string, clipCount)
	ids := map[string]int{}
	add := func(token string) { ids[token] = len(ids) }
	for _, l := range clipLetters() {
		add(l)
	}
	for i, line := range lines[1 : clipCount+1] {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, nil, fmt.Errorf("line %d: expected two tokens, found %q", i+2, line)
		}
		merges[i] = [2]string{fields[0], fields[1]}
		add(fields[0] + fields[1])
	}
	add(clipStart)
	add(clipEnd)
	return ids, merges, nil
}
