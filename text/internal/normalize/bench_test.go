package normalize

import (
	"strings"
	"testing"
)

func BenchmarkNormalize(b *testing.B) {
	texts := map[string]string{
		"english":  strings.Repeat("The quick brown fox jumps over the lazy dog, said Ms. O'Neill.\n", 1000),
		"japanese": strings.Repeat("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n", 1000),
		"accents":  strings.Repeat("Où l'été Ďábel naïf, Trường học ở Việt Nam.\n", 1000),
	}
	for _, config := range []string{bertJSON, `{"type": "NFC"}`, `{"type": "NFKC"}`, `{"type": "ByteLevel"}`, replaceJSON} {
		n, err := Parse([]byte(config))
		if err != nil {
			b.Fatal(err)
		}
		kind := strings.Split(config, `"`)[3]
		for name, text := range texts {
			b.Run(kind+"/"+name, func(b *testing.B) {
				var sc Scratch
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					sc.Reset()
					n.Normalize(&sc, New(text))
				}
			})
		}
	}
}
