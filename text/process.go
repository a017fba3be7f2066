package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/component"
)

// processor adds special tokens to a text or a pair, and trims offsets. The parts that it returns are joined in their
// order.
type processor interface {
	// added returns the number of tokens that it adds to so many texts.
	added(texts int) int
	process(parts []*part, special bool) ([]*part, error)
}

// parseProcessor reads the "post_processor" object of a tokenizer.json. For null it returns nil.
func parseProcessor(data []byte) (processor, error) {
	return component.Parse(data, "post_processor", processorReader)
}

// processorReader returns the reader of a type of post-processors, or nil.
func processorReader(typ string) component.Reader[processor] {
	if typ == "Sequence" {
		return func(f *component.Fields, depth int) processor {
			return processors(component.List(f, "processors", depth, processorReader))
		}
	}
	return processorReaders[typ]
}

// processorReaders are those of the post-processors without others in them.
var processorReaders = map[string]component.Reader[processor]{
	"BertProcessing": func(f *component.Fields, _ int) processor {
		return &bertProcessor{readToken(f, "sep"), readToken(f, "cls")}
	},
	"ByteLevel":          parseTrim,
	"RobertaProcessing":  parseRoberta,
	"TemplateProcessing": parseTemplate,
}

// specialToken is a token that a post-processor adds, as the pair [token, id] of a file.
type specialToken struct {
	token string
	id    int
}

// readToken reads a token that must be there.
func readToken(f *component.Fields, name string) specialToken {
	pair := component.Required[[]json.RawMessage](f, name)
	if f.Err == nil && len(pair) != 2 {
		f.Fail("%s: expected a token and its id, found %d values", name, len(pair))
	}
	if f.Err != nil {
		return specialToken{}
	}
	g := component.Object(fmt.Appendf(nil, `{"token": %s, "id": %s}`, pair[0], pair[1]))
	t := specialToken{component.Required[string](g, "token"), requiredID(g, "id")}
	if err := g.End(); err != nil {
		f.Fail("%s: %w", name, err)
	}
	return t
}

// run returns the part of one added token.
func (t specialToken) run(typeID int) *part { return added([]int{t.id}, []string{t.token}, typeID) }

// added returns a part of added tokens.
func added(ids []int, tokens []string, typeID int) *part {
	p := &part{ids: ids, tokens: tokens, offsets: make([][2]int, len(ids))}
	p.words = slices.Repeat([]int{-1}, len(ids))
	p.special = slices.Repeat([]bool{true}, len(ids))
	p.setType(typeID)
	return p
}

// wrap returns a part between added tokens; before and after may be nil. Only the added tokens count as special, and
// the sequence is text i.
func wrap(before, p, after *part, i int) *part {
	if before == nil {
		before = new(part)
	}
	if after == nil {
		after = new(part)
	}
	out := &part{
		ids: slices.Concat(before.ids, p.ids, after.ids), types: slices.Concat(before.types, p.types, after.types),
		tokens: slices.Concat(before.tokens, p.tokens, after.tokens), offsets: slices.Concat(before.offsets, p.offsets, after.offsets),
		words: slices.Concat(before.words, p.words, after.words), special: slices.Repeat([]bool{true}, before.len()+p.len()+after.len()),
		source: p.source, owned: true,
	}
	from := before.len()
	to := from + p.len()
	clear(out.special[from:to])
	out.ranges[i] = span{from, to, true}
	for _, o := range p.over {
		out.over = append(out.over, wrap(before, o, after, i))
	}
	return out
}

// bertProcessor is "[CLS] A [SEP]" and "[CLS] A [SEP] B [SEP]".
type bertProcessor struct {
	sep, cls specialToken
}

func (p *bertProcessor) added(texts int) int { return 1 + texts }

func (p *bertProcessor) process(parts []*part, special bool) ([]*part, error) {
	if !special {
		return parts, nil
	}
	out := slices.Clone(parts)
	for i, q := range parts {
		if i == 0 {
			out[i] = wrap(p.cls.run(0), q, p.sep.run(0), 0)
		} else {
			out[i] = wrap(nil, q, p.sep.run(1), 1)
		}
	}
	return out, nil
}

// robertaProcessor is "<s> A </s>" and "<s> A </s></s> B </s>", with all types 0.
type robertaProcessor struct {
	sep, cls     specialToken
	trim, prefix bool
}

func parseRoberta(f *component.Fields, _ int) processor {
	return &robertaProcessor{
		readToken(f, "sep"), readToken(f, "cls"), component.Required[bool](f, "trim_offsets"), component.Required[bool](f, "add_prefix_space"),
	}
}

func (p *robertaProcessor) added(texts int) int { return 2 * texts }

func (p *robertaProcessor) process(parts []*part, special bool) ([]*part, error) {
	out := make([]*part, len(parts))
	for i, q := range parts {
		q = q.clone()
		if p.trim {
			q = q.trim(p.prefix)
		}
		q.setType(0)
		if special {
			for _, o := range q.over { // without special tokens their types stay, as in the reference
				o.setType(0)
			}
			before := p.sep
			if i == 0 {
				before = p.cls
			}
			q = wrap(before.run(0), q, p.sep.run(0), min(i, 1))
		}
		out[i] = q
	}
	return out, nil
}

// trimProcessor takes the spaces at the ends of tokens of ByteLevel out of their offsets.
type trimProcessor struct {
	prefix, trim bool
}

func parseTrim(f *component.Fields, _ int) processor {
	component.Optional(f, "use_regex", true) // of the pre-tokenizer of this name
	return &trimProcessor{component.Required[bool](f, "add_prefix_space"), component.Required[bool](f, "trim_offsets")}
}

func (p *trimProcessor) added(int) int { return 0 }

func (p *trimProcessor) process(parts []*part, _ bool) ([]*part, error) {
	out := make([]*part, len(parts))
	for i, q := range parts {
		q = q.clone()
		if p.trim {
			q = q.trim(p.prefix)
		}
		if i < len(q.ranges) {
			q.setSequence(i)
		}
		out[i] = q
	}
	return out, nil
}

// clone returns a copy whose fields may be replaced.
func (p *part) clone() *part {
	q := *p
	q.over = make([]*part, len(p.over))
	for i, o := range p.over {
		q.over[i] = o.clone()
	}
	return &q
}

// trim returns p with offsets that leave out the spaces at both ends of each token. One leading space of the first
// token stays where prefix says that it was added: it has no place in the text.
func (p *part) trim(prefix bool) *part {
	offsets := p.offsets
	for i, token := range p.tokens {
		leading, trailing := edgeSpaces(token)
		if leading == 0 && trailing == 0 {
			continue
		}
		if !p.owned && &offsets[0] == &p.offsets[0] {
			offsets = slices.Clone(offsets)
		}
		from, to := offsets[i][0], offsets[i][1]
		if prefix && leading == 1 && (i == 0 || from == 0) {
			leading = 0
		}
		text := p.textOf(i)
		for ; leading > 0 && from < to; leading-- {
			_, size := utf8.DecodeRuneInString(text[from:])
			from += size
		}
		end := to
		for ; trailing > 0 && end > 0; trailing-- {
			_, size := utf8.DecodeLastRuneInString(text[:end])
			end -= size
		}
		if trailing == 0 {
			to = max(end, from)
		}
		offsets[i] = [2]int{min(from, to), to}
	}
	p.offsets = offsets
	for _, o := range p.over {
		o.trim(prefix)
	}
	return p
}

// textOf returns the text that the offsets of token i count in.
func (p *part) textOf(i int) string {
	switch {
	case p.source == nil:
		return ""
	case !p.source.words:
		return p.source.texts[0]
	case p.words[i] < 0:
		return ""
	}
	return p.source.texts[p.words[i]]
}

// edgeSpaces counts the spaces at the ends of a token: white space, or the letter that ByteLevel writes for a space.
func edgeSpaces(token string) (leading, trailing int) {
	space := func(r rune) bool { return r == 'Ġ' || unicode.IsSpace(r) }
	for _, r := range token {
		if !space(r) {
			break
		}
		leading++
	}
	for token != "" {
		r, size := utf8.DecodeLastRuneInString(token)
		if !space(r) {
			break
		}
		token = token[:len(token)-size]
		trailing++
	}
	return leading, trailing
}

// processors run one after another.
type processors []processor

func (ps processors) added(texts int) int {
	n := 0
	for _, p := range ps {
		n += p.added(texts)
	}
	return n
}

func (ps processors) process(parts []*part, special bool) ([]*part, error) {
	var err error
	for _, p := range ps {
		if parts, err = p.process(parts, special); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
