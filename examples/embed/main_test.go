package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

// output runs the program and returns its standard output.
func output(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(args, strings.NewReader(stdin), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	return stdout.String()
}

// TestVectors expects the tokens and the vectors of all-MiniLM-L6-v2 from transformers.
func TestVectors(t *testing.T) {
	model := golden.SharedData(t, "minilm")
	g := golden.Load(t, "../../models/bert/testdata/minilm.safetensors")
	var j struct {
		Tokens     [][]int
		Embeddings [][]float32
	}
	text := output(t, "", "-model", model, "-json", "A dog runs in the park.", "Ein Hund läuft im Park.", "")
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		t.Fatal(err)
	}
	golden.Within(t, "embeddings", slices.Concat(j.Embeddings...), g.Floats("embeddings")[:3*384], 2e-6)
	if want := []int{101, 1037, 3899, 3216, 1999, 1996, 2380, 1012, 102}; !slices.Equal(j.Tokens[0], want) {
		t.Errorf("found the tokens %v, expected %v", j.Tokens[0], want)
	}
	text = output(t, "", "-model", model, "A dog runs.", "A dog is running.")
	if !strings.HasPrefix(text, "384 values a text\n\n 1.000  A dog runs.\n") || !strings.HasSuffix(text, " 1.000  A dog is running.\n") {
		t.Error(text)
	}
}

// TestSearch finds lines of a file by meaning.
func TestSearch(t *testing.T) {
	model := golden.SharedData(t, "minilm")
	path := filepath.Join(t.TempDir(), "notes.txt")
	notes := "The meeting is on Monday.\r\nThe car is on the second floor of the garage.\n\nBuy milk.\nThe dog is at the vet"
	if err := os.WriteFile(path, []byte(notes), 0o600); err != nil {
		t.Fatal(err)
	}
	var j []jsonFound
	for _, file := range []string{path, "-"} {
		text := output(t, notes, "-model", model, "-json", "-top", "2", "-file", file, "Where did I park?", "sick animal")
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			t.Fatal(err)
		}
		if len(j) != 2 || len(j[0].Lines) != 2 || j[0].Lines[0].Line != 2 || j[1].Lines[0].Text != "The dog is at the vet" || j[1].Lines[0].Line != 5 {
			t.Errorf("found %+v", j)
		}
		if s := j[0].Lines[0].Score; !(s > 0.2 && s < 1) {
			t.Errorf("the score is %v", s)
		}
	}
	text := output(t, notes, "-model", model, "-top", "1", "-file", "-", "-dim", "64", "Where did I park?")
	if !strings.HasPrefix(text, "Where did I park?\n") || !strings.Contains(text, "  line 2: The car is on") {
		t.Error(text)
	}
}

// TestKeep keeps the best lines, in order, and never a number that is not one before others.
func TestKeep(t *testing.T) {
	var best []found
	for i, score := range []float64{0.1, 0.5, 0.5, math.NaN(), 0.7, 0.2} {
		best = keep(best, found{line: i, score: score}, 3)
	}
	var numbers []int
	for _, f := range best {
		numbers = append(numbers, f.line)
	}
	if !slices.Equal(numbers, []int{4, 1, 2}) {
		t.Errorf("found %v", numbers)
	}
}

// TestErrors expects one line and status 1.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-model: expected a folder", []string{"a"}},
		{"expected texts after the flags", []string{"-model", "x"}},
		{"-top and -passage-prompt need -file", []string{"-model", "x", "-top", "3", "a"}},
		{"-index needs a -file that can be read again", []string{"-model", "x", "-index", "i", "-file", "-", "a"}},
		{"-among and -forget need -index", []string{"-model", "x", "-file", "f", "-among", "3", "a"}},
		{`invalid value "0" for flag -forget: expected numbers of lines from 1 on`, []string{"-model", "x", "-forget", "0", "a"}},
		{"-top: expected at least 1, found 0", []string{"-model", "x", "-file", "f", "-top", "0", "a"}},
		{"-model: ", []string{"-model", "testdata", "a"}},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, strings.NewReader(""), &stdout, &stderr)
		if status != 1 || !strings.HasPrefix(stderr.String(), "embed: "+c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %s", c.args, status, &stderr)
		}
	}
	model := golden.SharedData(t, "minilm")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-file: open nothing.txt", []string{"-model", model, "-file", "nothing.txt", "a"}},
		{`bert: option PromptName: expected one of the prompts [], found "query"`, []string{"-model", model, "-prompt", "query", "a"}},
		{"bert: option Dim: expected 1 to 384, found 385", []string{"-model", model, "-dim", "385", "a"}},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, strings.NewReader(""), &stdout, &stderr)
		if status != 1 || !strings.HasPrefix(stderr.String(), "embed: "+c.want) {
			t.Errorf("%q: status %d, %s", c.args, status, &stderr)
		}
	}
}
