// Package gentest tests the generators of package simd's assembly:
//
//	func TestFilesAreCurrent(t *testing.T) { gentest.Current(t, files) }
//	func TestWords(t *testing.T)           { gentest.Words(t, text, 50) }
//
// The first compares the generated files with the generator. The second compares the arm64 instructions that are
// written as words with LLVM's encoding, and Codes does so for the instructions of amd64 that are written as bytes.
package gentest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Current checks that the files of a generator are current. files returns their text by path, given the folder of package
// simd, from which the paths begin.
func Current(t *testing.T, files func(dir string) (map[string][]byte, error)) {
	t.Helper()
	dir := filepath.Join("..", "..") // from a generator's folder
	texts, err := files(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range texts {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the generator's output: run go generate in simd", name)
		}
	}
}

var (
	code     = regexp.MustCompile(`((?:BYTE \$0x[0-9a-f]{2}; )+)// (.+)`)
	octet    = regexp.MustCompile(`0x[0-9a-f]{2}`)
	octets   = regexp.MustCompile(`encoding: \[(.+)\]`)
	word     = regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.+)`)
	encoding = regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`)
)

// Words checks that each raw word of arm64 assembly encodes the instruction in its comment, and that there are at least
// least different instructions. Without llvm-mc the test is skipped.
func Words(t *testing.T, text []byte, least int) {
	t.Helper()
	compare(t, word.FindAllStringSubmatch(string(text), -1), least, encoding, func(m []string) string {
		return m[4] + m[3] + m[2] + m[1]
	}, "-triple=aarch64", "-mattr=+bf16,+dotprod,+i8mm")
}

// Codes is Words for the bytes of amd64 assembly.
func Codes(t *testing.T, text []byte, least int) {
	t.Helper()
	plain := func(bytes string) string { return strings.Join(octet.FindAllString(bytes, -1), " ") }
	written := code.FindAllStringSubmatch(string(text), -1)
	for _, m := range written {
		m[1] = plain(m[1])
	}
	compare(t, written, least, octets, func(m []string) string { return plain(m[1]) }, "-triple=x86_64", "-mattr=+avx512bf16,+avxvnni,+amx-tile,+amx-bf16,+amx-int8", "-x86-asm-syntax=intel")
}

// compare compares instructions, each a code and its notation, with the encodings that llvm-mc prints.
func compare(t *testing.T, written [][]string, least int, printed *regexp.Regexp, join func([]string) string, options ...string) {
	t.Helper()
	mc, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is not installed")
	}
	codes := map[string]string{}
	var order []string
	for _, m := range written {
		code, named := codes[m[2]]
		if named && code != m[1] {
			t.Fatalf("%s is encoded as %s and as %s", m[2], code, m[1])
		}
		if !named {
			order = append(order, m[2])
		}
		codes[m[2]] = m[1]
	}
	if len(order) < least {
		t.Fatalf("expected at least %d instructions, found %d", least, len(order))
	}
	cmd := exec.Command(mc, append(options, "-show-encoding")...)
	cmd.Stdin = strings.NewReader(strings.Join(order, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	encodings := printed.FindAllStringSubmatch(string(out), -1)
	if len(encodings) != len(order) {
		t.Fatalf("llvm-mc encoded %d of %d instructions", len(encodings), len(order))
	}
	for i, m := range encodings {
		if got := join(m); got != codes[order[i]] {
			t.Errorf("%s: expected LLVM's encoding %s, found %s", order[i], got, codes[order[i]])
		}
	}
	t.Logf("%d instructions", len(order))
}
