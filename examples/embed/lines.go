package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/models/bert"
)

// A line is a line of a file, without its line break.
type line struct {
	number int // from 1
	text   string
	end    int64 // where the next line begins, in bytes
	whole  bool  // it has a line break
}

// largestLine is the number of bytes of a line that count. No model reads as many tokens.
const largestLine = 1 << 20

// lines yields the lines of a file from a place on, which comes after so many lines.
func lines(r io.Reader, after int, from int64) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		b := bufio.NewReaderSize(r, 1<<16)
		for l := (line{number: after, end: from}); ; {
			var text []byte
			size, err := int64(0), bufio.ErrBufferFull
			for errors.Is(err, bufio.ErrBufferFull) {
				var part []byte
				part, err = b.ReadSlice('\n')
				size += int64(len(part))
				text = append(text, part[:min(len(part), largestLine-len(text))]...)
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(line{}, err)
				return
			}
			if size == 0 {
				return
			}
			l.number++
			l.text = strings.TrimRight(string(text), "\r\n")
			l.end += size
			l.whole = err == nil
			if !yield(l, nil) || err != nil {
				return
			}
		}
	}
}

// An embedded line has a vector.
type embedded struct {
	line
	vector []float32
}

// embed yields lines with their vectors. It reads some lines ahead, and keeps none.
func embed(ctx context.Context, e *bert.Embedder, list iter.Seq2[line, error]) iter.Seq2[embedded, error] {
	return func(yield func(embedded, error) bool) {
		var waiting []line
		texts := func(yield func(string, error) bool) {
			for l, err := range list {
				waiting = append(waiting, l)
				if !yield(l.text, err) {
					return
				}
			}
		}
		for vector, err := range e.Stream(ctx, texts) {
			if err != nil {
				yield(embedded{}, err)
				return
			}
			l := waiting[0]
			waiting = waiting[1:]
			if !yield(embedded{l, vector}, nil) {
				return
			}
		}
	}
}

// ranges are lines that a flag names, such as 7,12-20: first and last, both included.
type ranges [][2]int

func (r *ranges) String() string { return "" }

// Set implements flag.Value.
func (r *ranges) Set(list string) error {
	for part := range strings.SplitSeq(list, ",") {
		first, last, more := strings.Cut(part, "-")
		if !more {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA != nil || errB != nil || a < 1 || b < a {
			return fmt.Errorf("expected numbers of lines from 1 on, such as 7,12-20, found %q", part)
		}
		*r = append(*r, [2]int{a, b})
	}
	return nil
}

func (r ranges) has(number int64) bool {
	for _, s := range r {
		if int64(s[0]) <= number && number <= int64(s[1]) {
			return true
		}
	}
	return false
}
