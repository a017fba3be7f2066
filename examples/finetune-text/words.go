package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/probe"
)

// Bounds of the bags of words.
const (
	mostWords  = 4000
	mostValues = 1 << 26 // of all bags for training together: 256 MB
)

// bag turns texts into bags of words.
type bag struct {
	index  map[string]int
	weight []float64 // of each word, by how few texts have it
}

// bagOfWords returns the test accuracy of logistic regression on bags of words. It learns from the texts for training,
// and the validation texts choose the strength of its penalty.
func (r *run) bagOfWords(ctx context.Context) (float64, error) {
	c := &r.corpus
	show := r.console.Phase("fitting logistic regression on words", console.Steps, 3)
	defer show.End()
	known := newBag(c.train.list)
	x, held := known.features(c.train.list), known.features(c.validation.list)
	var best *probe.Logistic
	most := -1.0
	for i, strength := range []float64{1, 10, 100} {
		fitted, err := probe.FitLogistic(ctx, x, c.train.labels, len(c.classes), probe.LogisticOptions{C: strength, Tolerance: 1e-3, Workers: r.model.Workers})
		if err != nil {
			return 0, err
		}
		if a := metrics.Accuracy(fitted.Logits(held), c.validation.labels); a > most {
			best, most = fitted, a
		}
		show.At(int64(i + 1))
	}
	right := 0.0
	for from := 0; from < len(c.test.list); from += 1024 { // features of all texts at once can exceed memory
		to := min(from+1024, len(c.test.list))
		right += metrics.Accuracy(best.Logits(known.features(c.test.list[from:to])), c.test.labels[from:to]) * float64(to-from)
	}
	return right / float64(len(c.test.list)), nil
}

// words returns the words of a text in lower case. A character of a script without spaces is a word of its own.
func words(s string) []string {
	var list []string
	for _, word := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && r != '\''
	}) {
		from := 0
		for i, r := range word {
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai) {
				if from < i {
					list = append(list, word[from:i])
				}
				list, from = append(list, string(r)), i+len(string(r))
			}
		}
		if word = strings.Trim(word[from:], "'"); word != "" {
			list = append(list, word)
		}
	}
	return list
}

// newBag chooses the words that most texts have, and weighs them: 1 + ln((1+n)/(1+texts with the word)), as
// scikit-learn's TfidfVectorizer does.
func newBag(list []string) *bag {
	counts := map[string]int{}
	for _, s := range list {
		seen := map[string]bool{}
		for _, word := range words(s) {
			if !seen[word] {
				seen[word] = true
				counts[word]++
			}
		}
	}
	var all []string
	for word, n := range counts {
		if n > 1 || len(list) < 100 {
			all = append(all, word)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	all = all[:min(len(all), mostWords, max(1, mostValues/len(list)))]
	b := &bag{index: map[string]int{}}
	for i, word := range all {
		b.index[word] = i
		b.weight = append(b.weight, 1+math.Log(float64(1+len(list))/float64(1+counts[word])))
	}
	return b
}

// features returns the bags of texts, [texts, words]: weighted counts, of length 1.
func (b *bag) features(list []string) []float32 {
	width := max(1, len(b.weight))
	out := make([]float32, len(list)*width)
	for i, s := range list {
		values := out[i*width : (i+1)*width]
		for _, word := range words(s) {
			if j, ok := b.index[word]; ok {
				values[j] += float32(b.weight[j])
			}
		}
		sum := 0.0
		for _, v := range values {
			sum += float64(v) * float64(v)
		}
		if sum > 0 {
			length := float32(math.Sqrt(sum))
			for j := range values {
				values[j] /= length
			}
		}
	}
	return out
}
