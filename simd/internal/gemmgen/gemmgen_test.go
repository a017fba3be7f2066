package main

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/gentest"
)

func TestFilesAreCurrent(t *testing.T) { gentest.Current(t, files) }

func TestWords(t *testing.T) { gentest.Words(t, tilesNEON().Bytes(), 10) }

func TestCodes(t *testing.T) {
	gentest.Codes(t, wordsAVX512().Bytes(), 60)
	gentest.Codes(t, wordsAVX2().Bytes(), 12)
	gentest.Codes(t, tilesAMX().Bytes(), 30)
}
