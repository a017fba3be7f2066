package main

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/gentest"
)

func TestFilesAreCurrent(t *testing.T) {
	want, err := files(gentest.Dir)
	if err != nil {
		t.Fatal(err)
	}
	gentest.Current(t, want)
}

func TestWords(t *testing.T) { gentest.Words(t, assemble(kernels(), newNEON()), 100) }
