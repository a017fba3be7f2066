// Package tinybert makes models for tests of programs that read text:
//
//	dir := tinybert.Save(t, bert.MaskedWords)
package tinybert

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/bert"
)

// Save saves a small model of a task, with the vocabulary of all-MiniLM-L6-v2 and random weights, and returns its folder. It
// takes 64 tokens. One of bert.Features makes vectors of sentences as all-MiniLM-L6-v2 does.
func Save(t testing.TB, task bert.Task) string {
	t.Helper()
	trained, err := bert.Open(golden.SharedData(t, "minilm"), bert.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := bert.MiniLM()
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.InitializerRange, c.MaxPositionEmbeddings = 16, 1, 2, 16, 1, 64
	m := bert.New(c, task, 0, rand.New(rand.NewPCG(1, 2)))
	m.Tokenizer = trained.Tokenizer
	if task == bert.Features {
		m.Sentences = trained.Sentences
	}
	dir := t.TempDir()
	if err := m.Save(dir, bert.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}
