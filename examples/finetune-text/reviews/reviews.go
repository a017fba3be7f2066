// Package reviews embeds snippets of movie reviews with their sentiment, so that programs can train without a download:
//
//	train, test, err := reviews.Load()
//	if err != nil {
//		return err
//	}
//	fmt.Println(len(train), train[0].Label, train[0].Text)
//
// There are 2,000 snippets for training and 1,000 for testing, half of them positive and half negative. They are a part of
// the movie review snippets of Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
// Media Text" (ICWSM 2014), in the Python package vaderSentiment 3.3.2. At least 20 people rated each snippet from -4 to 4. A
// snippet is positive when their mean is at least 1, and negative when it is at most -1.
//
// The snippets add 150 kB to a program. They are sentences of reviews on rottentomatoes.com. C. J. Hutto published them with
// the ratings under the MIT license in the file LICENSE.
// testdata/gen/reviews.py wrote the two files in the folder data.
package reviews

import (
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"strings"
)

// Review is a snippet and its label, "negative" or "positive".
type Review struct{ Text, Label string }

//go:embed data
var embedded embed.FS

// Load returns the snippets for training and for testing. The order of each is random, and the same at every call.
func Load() (train, test []Review, err error) {
	if train, err = read("train"); err != nil {
		return nil, nil, err
	}
	test, err = read("test")
	return train, test, err
}

func read(part string) ([]Review, error) {
	f, err := embedded.Open("data/" + part + ".tsv.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, err
	}
	var list []Review
	for row := range strings.Lines(string(all)) {
		text, label, ok := strings.Cut(strings.TrimSuffix(row, "\n"), "\t")
		if !ok {
			return nil, fmt.Errorf("reviews: %s: expected a text and a label, found %q", part, row)
		}
		list = append(list, Review{text, label})
	}
	return list[1:], nil // without the names of the columns
}
