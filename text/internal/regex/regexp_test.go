package regex

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func ExampleRegexp_All() {
	r := MustCompile(`'s| ?\p{L}+|\s+(?!\S)|\s+`)
	text := "It's  a text"
	for start, end := range r.All(text) {
		fmt.Printf("%q ", text[start:end])
	}
	fmt.Println()
	// Output: "It" "'s" " " " a" " text"
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          []string
	}{
		{`a+b`, "aab ab b", []string{"aab", "ab"}},
		{`a|ab`, "ab", []string{"a"}},
		{`(?i:ss)`, "ßSSſs", []string{"ß", "SS", "ſs"}},
		{`(?i:[ß-ü])`, "ssa", []string{"ss"}},
		{`(?i)[^k]`, "kKKa", []string{"a"}},
		{`(?i)stop`, "ﬆop", []string{"ﬆop"}},
		{`a{2}?`, "aaa", []string{"aa", ""}},
		{`a{3,2}`, "aaaaa", []string{"aaa", "aa"}},
		{`x*`, "axxb", []string{"", "xx", ""}},
		{`^`, "\n\n", []string{"", ""}},
		{`a$`, "a\na\n", []string{"a", "a"}},
		{`a\Z`, "a\n", []string{"a"}},
		{`a\z`, "a\n", nil},
		{`(?<=a+)b`, "aab", []string{"b"}},
		{`(?<!a|bb)c`, "ac bbc c", []string{"c"}},
		{`(?<=(?i:ss))d`, "ßd ssd", []string{"d"}},
		{`[a-c&&[^b]]+`, "abc", []string{"a", "c"}},
		{`[a-[b]]`, "ab-", []string{"b"}}, // the range is lost, as in Oniguruma
		{`[]a]`, "]a", []string{"]", "a"}},
		{`\xE4\xB8\xAD|\x{4e2d}|\u4e2d`, "中", []string{"中"}},
		{`\R`, "\r\n\n", []string{"\r\n", "\n"}},
		{`(?x) a b # c` + "\nd", "abd", []string{"abd"}},
		{`a(?i)b|c`, "aB C aC", []string{"aB", "aC"}},
		{`(?:|a)*`, "aa", []string{"", "", ""}},
		{`a++a`, "aaa", nil},
		{`\p{ L_u}\p{^Lu}\PL`, "aBc1", []string{"Bc1"}},
		{`{`, "{", []string{"{"}},
		{`a{,}`, "a{,}", []string{"a{,}"}},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for start, end := range r.All(c.text) {
			got = append(got, c.text[start:end])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: got %q, want %q", c.pattern, c.text, got, c.want)
		}
	}
}

func TestNext(t *testing.T) {
	r := MustCompile(`(?<=a)b|^c`)
	if start, end, ok := r.Next("ab c", 1); !ok || start != 1 || end != 2 {
		t.Errorf("got %d, %d, %v; want 1, 2: the text before counts", start, end, ok)
	}
	if _, _, ok := r.Next("abc", 2); ok {
		t.Error("the place from which the search begins is no begin of a line")
	}
}

func TestErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		`a(b`:                           "group without )",
		`a)b`:                           "unmatched )",
		`[ab`:                           "class without ]",
		`[]`:                            "empty class",
		`[b-a]`:                         "range whose end",
		`[\w-x]`:                        "begins with a set",
		`[[:foo:]]`:                     "unknown POSIX class",
		`\p{Foo}`:                       `unknown property "Foo"`,
		`\p{:word}`:                     "unknown property",
		`\p{L`:                          "property without }",
		`(a)\1`:                         `unsupported reference to a group \1`,
		`(?<n>a)\k<n>`:                  `unsupported reference to a group \k`,
		`\g<0>`:                         `unsupported reference to a group \g`,
		`\Ga`:                           `unsupported anchor \G`,
		`a\Kb`:                          `unsupported keep \K`,
		`\X`:                            "unsupported text segment",
		`(?~a)`:                         "unsupported absent group",
		`(?(1)a|b)`:                     "unsupported condition",
		`(?{a})`:                        "unsupported callout",
		`(*FAIL)`:                       "unsupported callout",
		`(?W)a`:                         "unsupported option W",
		`(?s)a`:                         "unknown group option",
		`^*`:                            "quantifier after an anchor",
		`*a`:                            "nothing to repeat",
		`a{100001}`:                     "more than 100000",
		`(?:a{1000}){1000}`:             "too large",
		`(?:(?:(?:){20000}){20000})`:    "too large",
		`a\`:                            "ends in a backslash",
		strings.Repeat("a", 1<<17):      "too large",
		"a\xff":                         "invalid UTF-8",
		strings.Repeat("(", 1<<15):      "nested groups",
		strings.Repeat("[", 1<<15):      "nested groups",
		"a" + strings.Repeat("?", 1000): "",
		"a" + strings.Repeat("{2}", 90): "",
	} {
		_, err := Compile(pattern)
		if err == nil {
			if want != "" {
				t.Errorf("%.40s: no error, want %q", pattern, want)
			}
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", pattern, err, want)
		}
	}
}

// TestLinear counts the work for a text and for one of twice the length.
func TestLinear(t *testing.T) {
	a := strings.Repeat("a", 20_000)
	random := rand.New(rand.NewPCG(1, 1))
	ab := make([]byte, 20_000)
	for i := range ab {
		ab[i] = "ab "[random.IntN(3)]
	}
	for _, pattern := range []string{
		`(a*)*b`, `(a|a)+$b`, `(a|aa)+c`, `(?:a?){30}a{30}c`, `a+c`, `\s+$c`, `.*c`, `(?>a+)c`, `a++c`, `(?>(?:ab?)*)c`, `(?:a++|b| )*c`,
		`(?=a*c)a|(?!a*c)c`, `(?<=ca*)b|(?<!ca*)c`, `a(?=.*c)`, `(?:(?=(?:a|b)*c)a|b)*c`, `(a*?)*?c`, `(?:(?:a*)+)+c`, `(?i:a+)+c`,
		`(\w+\s*)+c`, `(?>(?:a|b)+| )*c`, `(?:(?>a|ab)+b)*c`, `(.*)(.*)(.*)c`, `(?:a{0,40}b?)*c`, `(?:.{0,3}){0,9}c`, `(?:(?>a*)a?)*c`,
	} {
		for _, text := range []string{a, string(ab)} {
			r := MustCompile(pattern)
			work := func(text string) int {
				s := r.Search(text)
				defer s.Close()
				for from := 0; from <= len(text); {
					_, end, ok := s.Next(from)
					if !ok {
						break
					}
					from = max(end, from+1)
				}
				return s.work
			}
			half, all := work(text[:len(text)/2]), work(text)
			if all > 5*half/2+1000 {
				t.Errorf("%s: %d for half of a text, %d for all", pattern, half, all)
			}
		}
	}
}

// TestRecords: matches are the same with records from the begin, and when records are dropped.
func TestRecords(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(1, 3))}
	text := ""
	for len(text) < 1000 {
		text += g.text()
	}
	for _, pattern := range []string{
		`(?:a|b|ß|\s)+(?=\S+k)|\S`, `(?>\w+|\s)+?k`, `(?:(?>\S+)\s?)*1|.`, `(?:\w+\s*)+[.']`, `(?<=s\S*)\s|k(?!\S+\s)`, `(?:a*|ﬀ*?)*f`,
		famous["GPT-2"], famous["o200k"],
	} {
		r := MustCompile(pattern)
		plain := isolated(r, text)
		recorded = true
		all := isolated(r, text)
		fewPages = true
		few := isolated(r, text)
		recorded, fewPages = false, false
		if !slices.Equal(plain, all) || !slices.Equal(plain, few) {
			t.Errorf("%q in %q:\n%q without records\n%q with them\n%q with few of them", pattern, text, plain, all, few)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, p := range famous {
		f.Add(p, "It's a text, 123 中文  \n")
	}
	f.Add(`(?i:ss|ﬀ)(?<=a+)(?>b*+)`, "ﬀssab")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 1000 || len(text) > 2000 {
			return
		}
		r, err := Compile(pattern)
		if err != nil {
			return
		}
		text = strings.ToValidUTF8(text, "\uFFFD")
		plain, slow := [][2]int{}, [][2]int{}
		for start, end := range r.All(text) {
			plain = append(plain, [2]int{start, end})
		}
		recorded = true
		for start, end := range r.All(text) {
			slow = append(slow, [2]int{start, end})
		}
		recorded = false
		if !slices.Equal(plain, slow) {
			t.Errorf("%q in %q: records change %v to %v", pattern, text, plain, slow)
		}
		last := 0
		for _, m := range plain {
			if m[0] < last || m[1] < m[0] || m[1] > len(text) {
				t.Fatalf("%q in %q: matches %v", pattern, text, plain)
			}
			last = m[1]
		}
	})
}

// famous are the patterns of known models.
var famous = map[string]string{
	"GPT-2":        `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
	"cl100k":       `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"Qwen 2":       `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"o200k":        `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"CLIP":         `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`,
	"DeepSeek":     "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
	"DeepSeek CJK": `[一-龥぀-ゟ゠-ヿ]+`,
	"Bloom":        ` ?[^(\s|[.,!?…。，、।۔،])]+`,
	"digits":       `\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))`,
}
