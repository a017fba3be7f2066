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
	codes := map[string]string{}
	for _, m := range regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.+)`).FindAllStringSubmatch(string(neon()), -1) {
		if old, ok := codes[m[2]]; ok && old != m[1] {
			t.Fatalf("%s is written as %s and as %s", m[2], old, m[1])
		}
		codes[m[2]] = m[1]
	}
	if len(codes) < 50 {
		t.Fatalf("only %d instructions found", len(codes))
	}
	var source strings.Builder
	var order []string
	for text := range codes {
		order = append(order, text)
		source.WriteString(text + "\n")
	}
	cmd := exec.Command(mc, "-triple=aarch64", "-show-encoding")
	cmd.Stdin = strings.NewReader(source.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	encodings := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(encodings) != len(order) {
		t.Fatalf("llvm-mc encoded %d of %d instructions", len(encodings), len(order))
	}
	for i, m := range encodings {
		if got := m[4] + m[3] + m[2] + m[1]; got != codes[order[i]] {
			t.Errorf("%s: written as %s, LLVM has %s", order[i], codes[order[i]], got)
		}
	}
}
