package models

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// Classes are the names of a classifier's classes and their relation, in the fields of a Hugging Face config.json.
type Classes struct {
	ID2Label LabelNames `json:"id2label,omitempty"`
	Label2ID LabelIDs   `json:"label2id,omitempty"`
	// Problem says how the classes relate, and so how [Predict] makes probabilities of logits.
	Problem Problem `json:"problem_type,omitempty"`
}

// LabelNames maps the numbers of classes, in decimal digits, to their names.
type LabelNames map[string]string

// UnmarshalJSON reads an object or null. Its keys are whole numbers in any of the forms that Python's int takes, such as
// "+01". The error names the key that is none.
func (l *LabelNames) UnmarshalJSON(data []byte) error {
	*l = nil
	if strictjson.Null(data) {
		return nil
	}
	names := LabelNames{}
	var first error
	err := strictjson.Object(data, func(key string, value []byte) {
		id, err := pythonInt(key)
		var name string
		if err != nil {
			err = fmt.Errorf("expected a number for every name, found %q", key)
		} else if err = strictjson.Decode(value, &name); err != nil {
			err = fmt.Errorf("%q: %w", key, err)
		}
		if err != nil && first == nil {
			first = err
		}
		names[strconv.Itoa(id)] = name
	})
	if err == nil {
		err = first
	}
	if err == nil {
		*l = names
	}
	return err
}

// pythonInt returns a whole number in any of the forms that Python's int takes, such as "+01" and "1_0".
func pythonInt(text string) (int, error) {
	text = strings.TrimSpace(text)
	digits := strings.TrimLeft(text, "+-")
	if strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(strings.ReplaceAll(text, "_", ""))
}

// LabelIDs maps class names to their numbers.
type LabelIDs map[string]int

// UnmarshalJSON reads numbers, bare or in quotes: transformers' own fine-tuning script writes the latter. The
// error names the class whose value is neither.
func (l *LabelIDs) UnmarshalJSON(data []byte) error {
	*l = nil
	if strictjson.Null(data) {
		return nil
	}
	ids := LabelIDs{}
	var first error
	err := strictjson.Object(data, func(name string, value []byte) {
		id, err := strconv.Atoi(strings.Trim(string(value), `"`))
		if err != nil && first == nil {
			first = fmt.Errorf("%q: expected a number, found %s", name, value)
		}
		ids[name] = id
	})
	if err == nil {
		err = first
	}
	if err == nil {
		*l = ids
	}
	return err
}

// MarshalJSON writes the classes in the order of their numbers, as transformers does: its pipelines take the first that
// fits.
func (l LabelIDs) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("null"), nil
	}
	names := slices.SortedFunc(maps.Keys(l), func(a, b string) int { return cmp.Or(cmp.Compare(l[a], l[b]), cmp.Compare(a, b)) })
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%d", key, l[name])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// maxLabels bounds the number of a class, so that a false configuration cannot cause a large allocation.
const maxLabels = 1 << 20

// Labels returns the class names by index, up to the last that ID2Label names, or nil when it names none. A class that
// ID2Label leaves out is "". Numbers that no class can have, negative or above a million, are ignored.
func (c Classes) Labels() []string {
	labels := make([]string, c.last()+1)
	for i := range labels {
		labels[i] = c.ID2Label[strconv.Itoa(i)]
	}
	if len(labels) == 0 {
		return nil
	}
	return labels
}

// last returns the largest number that ID2Label names, or -1.
func (c Classes) last() int {
	last := -1
	for number := range c.ID2Label {
		if i, err := strconv.Atoi(number); err == nil && i <= maxLabels {
			last = max(last, i)
		}
	}
	return last
}

// Fit reports whether the names can be those of n classes: none is named beyond. Names of more classes are those of
// another classifier, such as the one that a new head replaced.
func (c Classes) Fit(n int) bool { return c.last() < n }

// LabelsOf returns the names of n classes. A class without a name is called LABEL_0 and so on, as transformers calls it,
// and so are all classes when the names do not fit.
func (c Classes) LabelsOf(n int) []string {
	labels := make([]string, n)
	if c.Fit(n) {
		copy(labels, c.Labels())
	}
	for i, name := range labels {
		if name == "" {
			labels[i] = fmt.Sprintf("LABEL_%d", i)
		}
	}
	return labels
}

// SetLabels names the classes: labels[i] is the name of class i. It replaces the maps and leaves the old ones alone.
func (c *Classes) SetLabels(labels []string) {
	c.ID2Label, c.Label2ID = LabelNames{}, LabelIDs{}
	for i, l := range labels {
		c.ID2Label[strconv.Itoa(i)] = l
		c.Label2ID[l] = i
	}
}

// NameAll makes c name n classes and no others, as [Classes.LabelsOf] calls them.
func (c *Classes) NameAll(n int) { c.SetLabels(c.LabelsOf(n)) }
