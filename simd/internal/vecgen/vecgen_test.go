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

const simd = "../.."

// The committed files are what the generator writes now.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	want, err := files(simd)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(simd, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, text) {
			t.Errorf("%s is not what vecgen writes: run go generate in package simd", name)
		}
	}
}

var word = regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.*)`)

// Every WORD is the encoding that LLVM gives the instruction beside it.
func TestEncodings(t *testing.T) {
	mc, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is not installed")
	}
	codes := map[string]string{}
	for _, m := range word.FindAllStringSubmatch(string(assemble(kernels(), newNEON())), -1) {
		if old, ok := codes[m[2]]; ok && old != m[1] {
			t.Fatalf("%s is written as %s and as %s", m[2], old, m[1])
		}
		codes[m[2]] = m[1]
	}
	if len(codes) < 100 {
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
	bytesOf := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(bytesOf) != len(order) {
		t.Fatalf("llvm-mc encoded %d of %d instructions", len(bytesOf), len(order))
	}
	for i, m := range bytesOf {
		if got := m[4] + m[3] + m[2] + m[1]; got != codes[order[i]] {
			t.Errorf("%s: written as %s, LLVM has %s", order[i], codes[order[i]], got)
		}
	}
	t.Logf("%d instructions", len(order))
}
