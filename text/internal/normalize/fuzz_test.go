package normalize

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkNormalize checks what holds for every normalizer and text: valid UTF-8, places within the original that ascend,
// and the same result from a scratch that was used before.
func checkNormalize(t *testing.T, n Normalizer, text string) {
	t.Helper()
	text = strings.ToValidUTF8(text, "\uFFFD")
	s := n.Normalize(nil, New(text))
	if !utf8.ValidString(s.Text()) {
		t.Fatalf("%q becomes %q", text, s.Text())
	}
	last, lastEnd := 0, 0
	for i, r := range s.Text() {
		start, end := s.Original(i, i+utf8.RuneLen(r))
		if start < last || end < lastEnd || end < start || end > len(text) {
			t.Fatalf("%q becomes %q: the rune at %d is from %d to %d, after one from %d to %d", text, s.Text(), i, start, end, last, lastEnd)
		}
		last, lastEnd = start, end
		if a, b := s.Slice(i, s.Len()).Original(0, utf8.RuneLen(r)); a != start || b != end {
			t.Fatalf("%q becomes %q: the slice from %d is from %d to %d, not %d to %d", text, s.Text(), i, a, b, start, end)
		}
	}
	var sc Scratch
	n.Normalize(&sc, New("İ 中\u0301 A"))
	again := n.Normalize(&sc, New(text))
	if again.Text() != s.Text() {
		t.Fatalf("%q becomes %q, and with a scratch %q", text, s.Text(), again.Text())
	}
	for i := range s.Text() {
		a, b := s.Original(i, s.Len())
		if c, d := again.Original(i, s.Len()); a != c || b != d {
			t.Fatalf("%q: from %d to %d, and with a scratch from %d to %d", text, a, b, c, d)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	rng := rand.New(rand.NewPCG(12, 2))
	for i := range normalizers {
		f.Add(i, i+1, randomText(rng))
	}
	var all []Normalizer
	for _, config := range normalizers {
		n, err := Parse([]byte(config))
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, n)
	}
	f.Fuzz(func(t *testing.T, first, second int, text string) {
		if len(text) > 1<<12 {
			return
		}
		n := uint(len(all))
		checkNormalize(t, sequence{all[uint(first)%n], all[uint(second)%n]}, text)
	})
}

func FuzzPrecompiled(f *testing.F) {
	rng := rand.New(rand.NewPCG(12, 3))
	f.Add(charsmap(map[string]string{"a": "xy", "b": "", "é": "e", "a\u0301": "á"}), "abéa\u0301b")
	for range 5 {
		data := charsmap(map[string]string{"ab": randomText(rng), "b": "", "é": "中"})
		f.Add(data[:len(data)-rng.IntN(len(data)/8)], randomText(rng))
		data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		f.Add(data, randomText(rng)+"ab")
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		n, err := newPrecompiled(data)
		if err != nil || len(text) > 1<<12 {
			return
		}
		checkNormalize(t, n, text)
	})
}

func FuzzParse(f *testing.F) {
	for _, config := range normalizers {
		f.Add([]byte(config))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 || strings.Count(string(data), "type") > 6 {
			return // a few steps can make a text a thousand times as long
		}
		if n, err := Parse(data); err == nil && n != nil {
			checkNormalize(t, n, "Aé \u0301中")
		}
	})
}
