package main

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/gentest"
)

func TestFilesAreCurrent(t *testing.T) { gentest.Current(t, files) }

func TestWords(t *testing.T) {
	texts, err := files("")
	if err != nil {
		t.Fatal(err)
	}
	gentest.Words(t, texts["depthwise_neon_arm64.s"], 50)
}
