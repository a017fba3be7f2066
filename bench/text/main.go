// Command text runs the cases of bench/text.py, which times the same cases in tokenizers.
//
//	printf 'prepare lines tokenizer.json corpus.txt 1\nrun 10\n' | go run ./bench/text
//
// Package serve describes the requests. The cases of "prepare" are:
//
//	lines TOKENIZER CORPUS THREADS   encodes the lines of a file as one batch
//	whole TOKENIZER CORPUS THREADS   encodes a file as one text
//
// Further requests:
//
//	convert DIR FILE   opens a folder and writes its tokenizer.json to FILE
//	digest             answers a hash of the ids of the prepared case
//	texts              answers the number of texts of the prepared case
//	allocations        answers the allocations for each text of one run
//	profile N FILE     runs the case N times and writes a profile of the processor time
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/bench/internal/serve"
	"github.com/fovea-ml/fovea/text"
)

func main() {
	var p program
	serve.Requests(os.Stdin, os.Stdout, p.prepare, map[string]func([]string) (string, error){
		"convert": convert, "digest": p.digest, "texts": p.texts, "allocations": p.allocations, "profile": p.profile,
	})
}

// program is the prepared case.
type program struct {
	inputs []text.Input
	encode func() ([]*text.Encoding, error)
}

// prepare prepares a case and returns the function that runs it once.
func (p *program) prepare(words []string) (func() error, error) {
	if len(words) != 4 || words[0] != "lines" && words[0] != "whole" {
		return nil, fmt.Errorf("expected lines or whole, a tokenizer, a corpus and threads, found %q", words)
	}
	threads, err := strconv.Atoi(words[3])
	if err != nil || threads < 1 {
		return nil, fmt.Errorf("expected a number of threads, found %q", words[3])
	}
	data, err := os.ReadFile(words[1])
	if err != nil {
		return nil, err
	}
	t, err := text.Parse(data)
	if err != nil {
		return nil, err
	}
	if data, err = os.ReadFile(words[2]); err != nil {
		return nil, err
	}
	p.inputs = nil
	if words[0] == "whole" {
		p.inputs = []text.Input{{Text: string(data)}}
	} else {
		for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
			p.inputs = append(p.inputs, text.Input{Text: line})
		}
	}
	runtime.GOMAXPROCS(threads)
	p.encode = func() ([]*text.Encoding, error) { return t.EncodeBatch(context.Background(), p.inputs, text.Options{}) }
	return p.run, nil
}

func (p *program) run() error {
	_, err := p.encode()
	return err
}

var errUnprepared = errors.New("expected a prepared case")

// digest hashes the ids as text: a line for each text, each id with a space behind it.
func (p *program) digest([]string) (string, error) {
	if p.encode == nil {
		return "", errUnprepared
	}
	encodings, err := p.encode()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, e := range encodings {
		var line []byte
		for _, id := range e.IDs {
			line = append(strconv.AppendInt(line, int64(id), 10), ' ')
		}
		hash.Write(append(line, '\n'))
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

func (p *program) texts([]string) (string, error) { return strconv.Itoa(len(p.inputs)), nil }

// allocations counts the allocations of one run.
func (p *program) allocations([]string) (string, error) {
	if p.encode == nil {
		return "", errUnprepared
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := p.run(); err != nil {
		return "", err
	}
	runtime.ReadMemStats(&after)
	return fmt.Sprint(float64(after.Mallocs-before.Mallocs) / float64(len(p.inputs))), nil
}

// profile writes a profile of several runs.
func (p *program) profile(words []string) (answer string, err error) {
	if p.encode == nil || len(words) != 2 {
		return "", errUnprepared
	}
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return "", err
	}
	f, err := os.Create(words[1])
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return "", err
	}
	defer pprof.StopCPUProfile()
	for range n {
		if err := p.run(); err != nil {
			return "", err
		}
	}
	return "ok", nil
}

// convert writes the tokenizer.json of a folder.
func convert(words []string) (string, error) {
	if len(words) != 2 {
		return "", fmt.Errorf("expected a folder and a file, found %q", words)
	}
	t, err := text.OpenDir(words[0], text.OpenOptions{})
	if err != nil {
		return "", err
	}
	data, err := t.MarshalJSON()
	if err != nil {
		return "", err
	}
	return "ok", os.WriteFile(words[1], data, 0o600)
}
