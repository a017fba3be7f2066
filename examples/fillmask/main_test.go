package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/tinybert"
	"github.com/fovea-ml/fovea/models/bert"
)

// TestFill fills one mask and two, as JSON and as text.
func TestFill(t *testing.T) {
	dir := tinybert.Save(t, bert.MaskedWords)
	var stdout, stderr bytes.Buffer
	texts := []string{"Paris is the [MASK] of France.", "[MASK] and [MASK]"}
	if status := command(append([]string{"-model", dir, "-top", "3", "-json"}, texts...), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	var found []jsonFilled
	if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		if f.Text != texts[i] || len(f.Masks) != i+1 {
			t.Errorf("found %+v", f)
		}
		for _, words := range f.Masks {
			if len(words) != 3 || words[0].Token == "" || !(words[0].P >= words[1].P && words[1].P > 0 && words[0].P < 1) {
				t.Errorf("found %+v", words)
			}
		}
	}
	stdout.Reset()
	if status := command([]string{"-model", dir, "-top", "1", texts[1]}, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	lines := strings.Split(stdout.String(), "\n")
	if len(lines) != 6 || lines[0] != texts[1] || lines[1] != "mask 1" || !strings.Contains(lines[2], " %  "+found[1].Masks[0][0].Token) || lines[3] != "mask 2" {
		t.Errorf("found %q", lines)
	}
}

// TestErrors expects one line and status 1.
func TestErrors(t *testing.T) {
	dir := tinybert.Save(t, bert.MaskedWords)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-model: expected a folder", []string{"a"}},
		{"expected texts after the flags", []string{"-model", dir}},
		{"-top: expected at least 1, found 0", []string{"-model", dir, "-top", "0", "a"}},
		{"-model: ", []string{"-model", "nothing", "a"}},
		{"bert: text 1: expected a mask, [MASK], found none", []string{"-model", dir, "[MASK]", "a"}},
		{"bert: the model has no head for masked words", []string{"-model", golden.SharedData(t, "minilm"), "[MASK]"}},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, &stdout, &stderr)
		if status != 1 || !strings.HasPrefix(stderr.String(), "fillmask: "+c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %s", c.args, status, &stderr)
		}
	}
}
