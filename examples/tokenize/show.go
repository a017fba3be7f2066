package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/text"
)

// jsonEncoding is an encoded text in JSON.
type jsonEncoding struct {
	Text      console.Name  `json:"text"`
	Pair      *console.Name `json:"pair,omitempty"`
	IDs       []int         `json:"ids"`
	Tokens    []string      `json:"tokens"`
	Offsets   [][2]int      `json:"offsets"`
	TypeIDs   []int         `json:"type_ids"`
	Words     []int         `json:"words"`
	Sequences []int         `json:"sequences"`
	Special   []bool        `json:"special"`
}

// show prints the tokens of the texts in the arguments.
func show(t *text.Tokenizer, s settings, stdout io.Writer) error {
	step := 1
	if s.Pair {
		step = 2
	}
	p := printer{to: stdout, colors: console.OnTerminal(stdout) && os.Getenv("NO_COLOR") == "", options: t.Defaults()}
	list := []jsonEncoding{}
	for i := 0; i < len(s.Args); i += step {
		texts := s.Args[i : i+step]
		in := text.Options{NoSpecial: s.NoSpecial}
		e, err := t.Encode(texts[0], in)
		if s.Pair {
			e, err = t.EncodePair(texts[0], texts[1], in)
		}
		switch {
		case err != nil:
			return fmt.Errorf("%q: %w", texts[0], err)
		case s.JSON:
			j := jsonEncoding{console.Name(texts[0]), nil, e.IDs, e.Tokens, e.Offsets, e.TypeIDs, e.Words, e.Sequences, e.Special}
			if s.Pair {
				j.Pair = new(console.Name(texts[1]))
			}
			list = append(list, j)
		default:
			if i > 0 {
				fmt.Fprintln(stdout)
			}
			if err := p.print(texts, e); err != nil {
				return err
			}
		}
	}
	if s.JSON {
		return console.PrintJSON(stdout, list)
	}
	return nil
}

// decode prints the text of ids.
func decode(t *text.Tokenizer, ids []int, s settings, stdout io.Writer) error {
	tokens := make([]string, len(ids))
	for i, id := range ids {
		token, ok := t.Token(id)
		if !ok {
			return fmt.Errorf("-ids: the tokenizer has no token %d", id)
		}
		tokens[i] = token
	}
	decoded := t.Decode(ids, text.DecodeOptions{SkipSpecial: s.NoSpecial})
	if s.JSON {
		return console.PrintJSON(stdout, struct {
			IDs    []int    `json:"ids"`
			Tokens []string `json:"tokens"`
			Text   string   `json:"text"`
		}{ids, tokens, decoded})
	}
	if console.OnTerminal(stdout) {
		decoded = plain(decoded)
	}
	_, err := fmt.Fprintln(stdout, decoded)
	return err
}

// A printer prints encodings for people.
type printer struct {
	to      io.Writer
	colors  bool
	options text.Options // of the model
}

// print prints the pieces of the texts and the table of tokens.
func (p printer) print(texts []string, e *text.Encoding) error {
	var b strings.Builder
	for k, whole := range texts {
		p.pieces(&b, whole, k, e)
	}
	b.WriteByte('\n')
	rows := [][]string{{"", "id", "piece", "bytes", "text"}}
	for i, id := range e.IDs {
		row := []string{strconv.Itoa(i), strconv.Itoa(id), escaped(e.Tokens[i]), "", ""}
		if !e.Special[i] {
			from, to := e.Offsets[i][0], e.Offsets[i][1]
			row[3], row[4] = fmt.Sprintf("%d..%d", from, to), strconv.Quote(texts[second(e, i)][from:to])
			if len(texts) > 1 {
				row[3] = fmt.Sprintf("%d: %s", second(e, i)+1, row[3])
			}
		} else {
			row[4] = "special"
		}
		rows = append(rows, row)
	}
	table(&b, rows, "rrlrl")
	unit := "tokens"
	if e.Len() == 1 {
		unit = "token"
	}
	fmt.Fprintf(&b, "\n%d %s", e.Len(), unit)
	if limit := p.options.Truncation; limit != nil {
		fmt.Fprintf(&b, ", the model takes at most %d", limit.Max)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(p.to, b.String())
	return err
}

// second returns the number of the text that a token is a part of.
func second(e *text.Encoding, i int) int { return max(e.Sequences[i], 0) }

// colors are backgrounds of the palette of 256 colors that black text can be read on.
var colors = []int{153, 223, 157, 219, 230}

// pieces writes text k with its tokens marked. Text between tokens stays as it is.
func (p printer) pieces(b *strings.Builder, whole string, k int, e *text.Encoding) {
	at, n := 0, 0
	for i, o := range e.Offsets {
		if e.Special[i] || second(e, i) != k {
			continue
		}
		from, to := max(o[0], at), max(o[1], at)
		b.WriteString(lines(whole[at:from]))
		piece := lines(whole[from:to])
		if from == to {
			piece = "·"
		}
		if p.colors {
			fmt.Fprintf(b, "\x1b[30;48;5;%dm%s\x1b[0m", colors[n%len(colors)], piece)
		} else {
			b.WriteString("[" + piece + "]")
		}
		at, n = to, n+1
	}
	b.WriteString(lines(whole[at:]) + "\n")
}

// lines escapes a text except for its line breaks, which it shows with a sign.
func lines(s string) string {
	parts := strings.Split(s, "\n")
	for i, p := range parts {
		parts[i] = escaped(p)
	}
	return strings.Join(parts, "↵\n")
}

// plain escapes a text except for line breaks and tabs.
func plain(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, "\n\t")
		if i < 0 {
			i = len(s)
		}
		b.WriteString(escaped(s[:i]))
		b.WriteString(s[i:min(i+1, len(s))])
		s = s[min(i+1, len(s)):]
	}
	return b.String()
}

// escaped returns the text with escapes such as \t and \xff for what is not printable.
func escaped(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.WriteString(s[:n])
		} else {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}
