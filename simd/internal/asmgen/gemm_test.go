package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The files in the package are what the generator writes.
func TestFilesAreCurrent(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the generator's output: run go generate in simd", name)
		}
	}
}

// Each raw word is the instruction that its comment names.
func TestWords(t *testing.T) {
	mc, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is not installed")
	}
	line := regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.+)`)
	var words []string
	var source strings.Builder
	seen := map[string]bool{}
	for _, m := range line.FindAllStringSubmatch(string(gemmNEON()), -1) {
		if !seen[m[0]] {
			seen[m[0]] = true
			words = append(words, m[1])
			source.WriteString(m[2] + "\n")
		}
	}
	if len(words) == 0 {
		t.Fatal("no words found")
	}
	cmd := exec.Command(mc, "-triple=aarch64", "-show-encoding")
	cmd.Stdin = strings.NewReader(source.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	enc := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(enc) != len(words) {
		t.Fatalf("%d encodings for %d instructions", len(enc), len(words))
	}
	text := strings.Split(source.String(), "\n")
	for i, e := range enc {
		if want := e[4] + e[3] + e[2] + e[1]; words[i] != want {
			t.Errorf("%s: word %s, the assembler says %s", text[i], words[i], want)
		}
	}
}
