package main

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/gentest"
)

func TestFilesAreCurrent(t *testing.T) { gentest.Current(t, files) }

func TestWords(t *testing.T) { gentest.Words(t, neon(), 50) }
