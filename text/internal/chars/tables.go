package chars

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

//go:embed tables.txt
var tablesText string

type page [256]Info

type tables struct {
	pages      [0x1100]*page // shared where all characters of a page are alike
	lower      map[rune][2]rune
	class      map[rune]uint8
	canonical  map[rune][]rune
	compatible map[rune][]rune
	composed   map[[2]rune]rune
	whole      map[Info]*page
}

var (
	loaded  atomic.Pointer[tables]
	loading sync.Mutex
)

// get returns the tables, which the first call reads.
func get() *tables {
	if t := loaded.Load(); t != nil {
		return t
	}
	return load()
}

func load() *tables {
	loading.Lock()
	defer loading.Unlock()
	if t := loaded.Load(); t != nil {
		return t
	}
	t, err := parse(tablesText)
	if err != nil {
		panic("chars: tables.txt: " + err.Error()) // a mistake in this package
	}
	loaded.Store(t)
	return t
}

// sets are the properties that tables.txt gives as ranges.
var sets = map[string]Info{
	"space": Space, "control": Control, "nonspacing": Nonspacing, "mark": Mark, "punctuation": Punctuation, "number": Number,
}

func parse(text string) (*tables, error) {
	t := &tables{
		lower: make(map[rune][2]rune, 1500), class: make(map[rune]uint8, 1000), composed: make(map[[2]rune]rune, 1000),
		canonical: make(map[rune][]rune, 2200), compatible: make(map[rune][]rune, 3800), whole: map[Info]*page{0: {}},
	}
	for i := range t.pages {
		t.pages[i] = t.whole[0]
	}
	excluded := map[rune]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, items, _ := strings.Cut(strings.TrimSpace(line), ":")
		for item := range strings.FieldsSeq(items) {
			if err := t.item(name, item, excluded); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", name, item, err)
			}
		}
	}
	for _, cjk := range []string{"4e00-9fff", "3400-4dbf", "20000-2a6df", "2a700-2b73f", "2b740-2b81f", "2b920-2ceaf", "f900-faff", "2f800-2fa1f"} {
		if err := t.set(cjk, CJK); err != nil { // is_chinese_char of the reference
			return nil, err
		}
	}
	t.hangul()
	t.compose(excluded)
	return t, nil
}

// item enters one item of a line.
func (t *tables) item(name, item string, excluded map[rune]bool) error {
	const moves = NotNFC | NotNFD | NotNFKC | NotNFKD
	kind, arg, _ := strings.Cut(name, " ")
	if property, ok := sets[name]; ok {
		return t.set(item, property)
	}
	switch kind {
	case "grapheme":
		class, ok := breakClasses[arg]
		if !ok {
			return fmt.Errorf("unknown class")
		}
		return t.set(item, Info(class)*graphemeBit)
	case "class":
		class, err := strconv.ParseUint(arg, 10, 8)
		if err != nil {
			return err
		}
		first, last, err := span(item)
		for r := first; r <= last; r++ {
			t.class[r] = uint8(class)
			t.add(r, moves)
		}
		return err
	case "excluded":
		first, last, err := span(item)
		for r := first; r <= last; r++ {
			excluded[r] = true
			t.add(r, NotNFC|NotNFKC)
		}
		return err
	case "lower":
		return t.lowers(item)
	case "canonical", "compatible":
		r, to, err := mapping(item)
		if kind == "canonical" {
			t.canonical[r] = to
			t.add(r, NotNFD|NotNFKD)
		} else {
			t.compatible[r] = to
			t.add(r, NotNFKD|NotNFKC)
		}
		return err
	}
	return fmt.Errorf("unknown name")
}

// hangul enters the properties of syllables and of jamo that compose. The table has U+200D of all graphemes' joiners.
func (t *tables) hangul() {
	for r := rune(firstSyllable); r <= lastSyllable; r++ {
		class := breakLVT
		if (r-firstSyllable)%countT == 0 {
			class = breakLV
		}
		t.add(r, NotNFD|NotNFKD|Info(class)*graphemeBit)
	}
	for r := rune(firstV); r < firstV+countV; r++ {
		t.add(r, NotNFC|NotNFKC)
	}
	for r := rune(firstT + 1); r < firstT+countT; r++ {
		t.add(r, NotNFC|NotNFKC)
	}
	t.add(0x200D, Info(breakZWJ)*graphemeBit)
}

// compose enters the pairs of characters that compose: all but the last character of a decomposition, composed, and the
// last.
func (t *tables) compose(excluded map[rune]bool) {
	byDecomposition := map[string]rune{}
	for r, to := range t.canonical {
		if !excluded[r] {
			byDecomposition[string(to)] = r
		}
	}
	for r, to := range t.canonical {
		if excluded[r] {
			continue
		}
		n := len(to) - 1
		first, ok := to[0], n == 1
		if n > 1 {
			first, ok = byDecomposition[string(to[:n])]
		}
		if ok {
			t.composed[[2]rune{first, to[n]}] = r
			t.add(to[n], NotNFC|NotNFKC)
		}
	}
}

// lowers enters FIRST-LAST/STEP:+OFFSET or POINT:POINT.POINT.
func (t *tables) lowers(item string) error {
	from, to, _ := strings.Cut(item, ":")
	if !strings.HasPrefix(to, "+") && !strings.HasPrefix(to, "-") {
		r, to, err := mapping(item)
		if err == nil && len(to) != 2 {
			err = fmt.Errorf("want 2 characters")
		}
		if err == nil {
			t.lower[r] = [2]rune(to)
			t.add(r, Lowers)
		}
		return err
	}
	offset, err := strconv.ParseInt(to, 16, 32)
	if err != nil {
		return err
	}
	from, two := strings.CutSuffix(from, "/2")
	step := rune(1)
	if two {
		step = 2
	}
	first, last, err := span(from)
	for r := first; r <= last; r += step {
		t.lower[r] = [2]rune{r + rune(offset)}
		t.add(r, Lowers)
	}
	return err
}

// set adds a property to a range of characters.
func (t *tables) set(item string, property Info) error {
	first, last, err := span(item)
	for r := first; r <= last; r++ {
		p := t.pages[r>>8]
		if alike := p[0]; r&0xFF == 0 && r+0xFF <= last && p == t.whole[alike] {
			info := alike | property
			if t.whole[info] == nil {
				t.whole[info] = new(page)
				for i := range t.whole[info] {
					t.whole[info][i] = info
				}
			}
			t.pages[r>>8] = t.whole[info]
			r += 0xFF
			continue
		}
		t.add(r, property)
	}
	return err
}

// add adds a property to a character.
func (t *tables) add(r rune, property Info) {
	p := t.pages[r>>8]
	if p == t.whole[p[0]] {
		own := *p
		p = &own
		t.pages[r>>8] = p
	}
	p[r&0xFF] |= property
}

// span reads FIRST-LAST or POINT.
func span(item string) (first, last rune, err error) {
	from, to, ok := strings.Cut(item, "-")
	if !ok {
		to = from
	}
	if first, err = point(from); err == nil {
		last, err = point(to)
	}
	if err != nil {
		return 0, -1, err
	}
	return first, last, nil
}

// mapping reads POINT:POINT.POINT.
func mapping(item string) (from rune, to []rune, err error) {
	head, tail, _ := strings.Cut(item, ":")
	if from, err = point(head); err != nil {
		return 0, nil, err
	}
	to = make([]rune, 0, 4)
	for text := range strings.SplitSeq(tail, ".") {
		r, err := point(text)
		if err != nil {
			return 0, nil, err
		}
		to = append(to, r)
	}
	return from, to, nil
}

// point reads a code point.
func point(text string) (rune, error) {
	r, err := strconv.ParseUint(text, 16, 32)
	if err == nil && r > 0x10FFFF {
		err = strconv.ErrRange
	}
	return rune(r), err
}
