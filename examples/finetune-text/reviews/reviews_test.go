package reviews

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func Example() {
	train, test, err := Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(train), len(test))
	// Output: 2000 1000
}

// TestLoad counts the labels, and expects no text of the test in the training.
func TestLoad(t *testing.T) {
	train, test, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range []struct {
		part []Review
		each int
	}{{train, 1000}, {test, 500}} {
		counts := map[string]int{}
		for _, r := range c.part {
			counts[r.Label]++
			if known[r.Text] {
				t.Errorf("%q is there twice", r.Text)
			}
			known[r.Text] = true
			if !utf8.ValidString(r.Text) || strings.TrimSpace(r.Text) != r.Text || r.Text == "" || strings.ContainsAny(r.Text, "\t\n") {
				t.Errorf("a text is %q", r.Text)
			}
		}
		if len(counts) != 2 || counts["negative"] != c.each || counts["positive"] != c.each {
			t.Errorf("labels: %v, expected %d of negative and of positive", counts, c.each)
		}
	}
}
