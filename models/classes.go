package models

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Classes are the names of a classifier's classes, in the fields of a Hugging Face config.json.
type Classes struct {
	ID2Label map[string]string `json:"id2label,omitempty"`
	Label2ID LabelIDs          `json:"label2id,omitempty"`
}

// LabelIDs maps class names to their numbers.
type LabelIDs map[string]int

// UnmarshalJSON reads numbers, bare or in quotes: transformers' own fine-tuning script writes the latter. The
// error names the class whose value is neither.
func (l *LabelIDs) UnmarshalJSON(data []byte) error {
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(data, &texts); err != nil {
		return err
	}
	ids := make(LabelIDs, len(texts))
	for name, text := range texts {
		id, err := strconv.Atoi(strings.Trim(string(text), `"`))
		if err != nil {
			return fmt.Errorf("label2id: %q: expected a number, found %s", name, text)
		}
		ids[name] = id
	}
	*l = ids
	return nil
}

// maxLabels bounds the number of a class, so that a false configuration cannot cause a large allocation.
const maxLabels = 1 << 20

// Labels returns the class names by index, up to the last that ID2Label names, or nil when it names none. A class that
// ID2Label leaves out is "". Numbers that no class can have, negative or above a million, are ignored.
func (c Classes) Labels() []string {
	last := -1
	for number := range c.ID2Label {
		if i, err := strconv.Atoi(number); err == nil && i <= maxLabels {
			last = max(last, i)
		}
	}
	return c.LabelsOf(last + 1)
}

// LabelsOf returns the names of the first n classes, "" for one without a name, or nil when ID2Label names none at all.
func (c Classes) LabelsOf(n int) []string {
	if len(c.ID2Label) == 0 || n == 0 {
		return nil
	}
	labels := make([]string, n)
	for i := range labels {
		labels[i] = c.ID2Label[strconv.Itoa(i)]
	}
	return labels
}

// SetLabels names the classes: labels[i] is the name of class i. It replaces the maps and leaves the old ones alone.
func (c *Classes) SetLabels(labels []string) {
	c.ID2Label, c.Label2ID = map[string]string{}, LabelIDs{}
	for i, l := range labels {
		c.ID2Label[strconv.Itoa(i)] = l
		c.Label2ID[l] = i
	}
}

// NameAll makes c name n classes and no others. A class without a name is called LABEL_0 and so on, as transformers
// calls it.
func (c *Classes) NameAll(n int) {
	labels := c.LabelsOf(n)
	if labels == nil {
		labels = make([]string, n)
	}
	complete := len(c.ID2Label) == n
	for i, name := range labels {
		if name == "" {
			labels[i] = fmt.Sprintf("LABEL_%d", i)
			complete = false
		}
	}
	if !complete {
		c.SetLabels(labels)
	}
}
