package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/tinybert"
	"github.com/fovea-ml/fovea/models/bert"
)

// TestAnswers answers two questions about a file that has several windows.
func TestAnswers(t *testing.T) {
	dir := tinybert.Save(t, bert.QuestionAnswering)
	text := "Ada wrote the first program.\n" + strings.Repeat("It ran on paper.\n", 30) + "Charles built the engine."
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, "-"} {
		var stdout, stderr bytes.Buffer
		status := command([]string{"-model", dir, "-file", file, "-none", "-json", "-top", "20", "Who wrote it?", "Who built it?"}, strings.NewReader(text), &stdout, &stderr)
		if status != 0 || stderr.Len() > 0 {
			t.Fatalf("status %d: %s", status, &stderr)
		}
		var found []jsonQuestion
		if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
			t.Fatal(err)
		}
		if len(found) != 2 || found[1].Question != "Who built it?" || len(found[0].Answers) < 5 {
			t.Fatalf("found %+v", found)
		}
		none := 0
		for i, a := range found[0].Answers {
			if a.Text == "" {
				none++
				continue
			}
			if text[a.Start:a.End] != a.Text || a.Line != 1+strings.Count(text[:a.Start], "\n") || !(a.Score > 0) || i > 0 && a.Score > found[0].Answers[i-1].Score {
				t.Errorf("found %+v", a)
			}
		}
		if none > 1 {
			t.Errorf("no answer counts %d times", none)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", dir, "-file", path, "-top", "1", "Who wrote it?"}, nil, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	if !strings.HasPrefix(stdout.String(), "Who wrote it?\n") || !strings.Contains(stdout.String(), " %  line ") {
		t.Error(stdout.String())
	}
}

// TestErrors expects one line and status 1.
func TestErrors(t *testing.T) {
	dir := tinybert.Save(t, bert.QuestionAnswering)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-model: expected a folder", []string{"a"}},
		{"-file: expected a text file", []string{"-model", dir, "a"}},
		{"expected questions after the flags", []string{"-model", dir, "-file", "-"}},
		{"-top and -length: expected at least 1", []string{"-model", dir, "-file", "-", "-top", "0", "a"}},
		{"-file: open nothing.txt", []string{"-model", dir, "-file", "nothing.txt", "a"}},
		{"bert: the model has no head for the spans", []string{"-model", golden.SharedData(t, "minilm"), "-file", "-", "a"}},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, strings.NewReader("text"), &stdout, &stderr)
		if status != 1 || !strings.HasPrefix(stderr.String(), "ask: "+c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %s", c.args, status, &stderr)
		}
	}
}
