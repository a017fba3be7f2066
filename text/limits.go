package text

import (
	"fmt"
	"slices"
)

// Strategy says which text of a pair is truncated.
type Strategy uint8

// The strategies.
const (
	// LongestFirst cuts the longer text until both are equally long, then both.
	LongestFirst Strategy = iota
	// OnlyFirst cuts the first text. It is an error where that has too few tokens.
	OnlyFirst
	// OnlySecond cuts the second text. It is an error where that has too few tokens, or where there is one text.
	OnlySecond
)

// Truncation bounds the length of an encoding.
type Truncation struct {
	// Max is the most tokens, special tokens included. A Max below the number of special tokens is an error. 0 leaves no
	// tokens where none are added.
	Max      int
	Strategy Strategy
	// Stride is the number of tokens that a window repeats of the one before. It is less than the tokens that Max
	// leaves for a text beside the special tokens.
	Stride int
	Left   bool // cut off the beginning of a text
	// Overflow asks for the windows that are cut off, in [Encoding.Overflow]. Where both texts of a pair are cut, there
	// is a window for every window of the first text with every window of the second.
	Overflow bool
}

// Padding brings encodings to one length. [Tokenizer.Defaults] has the padding token of the model, with its id; the
// zero value pads with id 0.
type Padding struct {
	// Length is the number of tokens, at most 4194304. 0 means the longest of the call. Longer encodings stay as they
	// are.
	Length   int
	Multiple int // the length is rounded up to a multiple, unless it is 0; at most 4194304
	Left     bool
	ID       int
	TypeID   int
	Token    string
}

// maxPadded is the length to which encodings can be padded, unless they are that long by themselves.
const maxPadded = 1 << 22

// truncate cuts one text or a pair to t.Max less the special tokens that are to be added.
// share divides it between the texts of a pair.
func truncate(parts []*part, t *Truncation, added int, share func(first, second, most int) []int) error {
	most := t.Max - added
	if t.Max < 0 || most < 0 {
		return fmt.Errorf("truncation: expected a maximum of at least %d, the number of special tokens, found %d", added, t.Max)
	}
	if t.Stride < 0 {
		return fmt.Errorf("truncation: expected a stride of at least 0, found %d", t.Stride)
	}
	if t.Strategy > OnlySecond {
		return fmt.Errorf("truncation: expected one of the strategies, found %d", t.Strategy)
	}
	total := 0
	for _, p := range parts {
		total += p.len()
	}
	if total <= most && most > 0 {
		return nil
	}
	var limits []int // of each text
	switch excess := total - most; {
	case most == 0:
		limits = []int{0, 0}
	case t.Strategy == LongestFirst && len(parts) == 1:
		limits = []int{most}
	case t.Strategy == LongestFirst:
		limits = share(parts[0].len(), parts[1].len(), most)
	case t.Strategy == OnlySecond && len(parts) == 1:
		return fmt.Errorf("truncation: %d tokens are more than %d, and only the second text may be cut, but there is one text", total, most)
	default:
		limits = []int{parts[0].len(), total - parts[0].len()}
		i := int(t.Strategy - OnlyFirst)
		if limits[i] -= excess; limits[i] <= 0 {
			return fmt.Errorf("truncation: %d tokens are more than %d, and the text that may be cut has only %d", total, most, parts[i].len())
		}
	}
	for i, p := range parts {
		var err error
		if parts[i], err = p.truncate(limits[i], t); err != nil {
			return err
		}
	}
	return checkWindows(parts)
}

// shareFast divides a maximum between two texts: the shorter keeps its tokens where they fit, otherwise both have half.
func shareFast(first, second, most int) []int {
	short := min(first, second)
	long := short
	if short <= most {
		long = max(short, most-short)
	}
	if short+long > most {
		short = most / 2
		long = short + most%2
	}
	if first > second {
		return []int{long, short}
	}
	return []int{short, long}
}

// shareInCode does it as classes in Python do: it takes tokens off the longer until both are alike, then off both
// (truncate_sequences in tokenization_python.py).
func shareInCode(first, second, most int) []int {
	excess := first + second - most
	longer := min(max(first-second, second-first), excess)
	half := (excess - longer) / 2
	other := excess - longer - half
	if first > second {
		return []int{max(first-longer-half, 0), max(second-other, 0)}
	}
	return []int{max(first-half, 0), max(second-longer-other, 0)}
}

// truncate returns the first window of at most n tokens, with the other windows.
func (p *part) truncate(n int, t *Truncation) (*part, error) {
	size := p.len()
	if n >= size {
		return p, nil
	}
	if n == 0 {
		out := p.slice(0, 0)
		if t.Overflow {
			out.over = []*part{p}
		}
		return out, nil
	}
	if t.Stride >= n {
		return nil, fmt.Errorf("truncation: expected a stride below %d, the tokens left for a text, found %d", n, t.Stride)
	}
	var out *part
	for at := 0; ; at += n - t.Stride { // tokens before the window, or after it
		from, to := at, min(at+n, size)
		if t.Left {
			from, to = size-to, size-from
		}
		window := p.slice(from, to)
		if out == nil {
			out = window
		} else {
			out.over = append(out.over, window)
		}
		if at+n >= size || !t.Overflow {
			return out, nil
		}
	}
}

// pad brings all encodings of a batch to one length.
func pad(batch []*Encoding, p *Padding) error {
	if p.Length < 0 || p.Multiple < 0 {
		return fmt.Errorf("padding: expected a length and a multiple of at least 0, found %d and %d", p.Length, p.Multiple)
	}
	if p.Length > maxPadded || p.Multiple > maxPadded {
		return fmt.Errorf("padding: expected a length and a multiple of at most %d, found %d and %d", maxPadded, p.Length, p.Multiple)
	}
	n := p.Length
	if n == 0 {
		for _, e := range batch {
			n = max(n, e.Len())
		}
	}
	if p.Multiple > 0 && n%p.Multiple > 0 {
		n += p.Multiple - n%p.Multiple
	}
	for _, e := range batch {
		e.pad(n, p)
	}
	return nil
}

func (e *Encoding) pad(n int, p *Padding) {
	for _, o := range e.Overflow {
		o.pad(n, p)
	}
	n -= e.Len()
	if n <= 0 {
		return
	}
	e.IDs = extend(e.IDs, p.ID, n, p.Left)
	e.TypeIDs = extend(e.TypeIDs, p.TypeID, n, p.Left)
	e.Tokens = extend(e.Tokens, p.Token, n, p.Left)
	e.Offsets = extend(e.Offsets, [2]int{}, n, p.Left)
	e.Words = extend(e.Words, -1, n, p.Left)
	e.Attention = extend(e.Attention, false, n, p.Left)
	e.Special = extend(e.Special, true, n, p.Left)
	for i := range e.ranges {
		if p.Left {
			e.ranges[i].from += n
			e.ranges[i].to += n
		}
	}
}

// extend puts n copies of a value before or behind a list.
func extend[T any](list []T, value T, n int, left bool) []T {
	fill := slices.Repeat([]T{value}, n)
	if left {
		return append(fill, list...)
	}
	return append(list, fill...)
}
