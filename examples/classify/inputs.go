package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/vision"
)

// inputs returns the names of the images: those of the arguments and then those of the list. A folder stands for all images
// below it.
func inputs(s settings, stdin io.Reader) ([]string, error) {
	names := s.Images
	if s.List != "" {
		listed, err := readList(s.List, stdin)
		if err != nil {
			return nil, fmt.Errorf("-list: %w", err)
		}
		names = slices.Concat(names, listed)
	}
	return photo.Files(names)
}

// maxList bounds the bytes of a list: some ten million names.
const maxList = 1 << 30

// readList returns the lines of a file, or of standard input, that are not empty.
func readList(name string, stdin io.Reader) ([]string, error) {
	if name != photo.StandardInput {
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: %w: expected a text file with a path in each line", name, vision.ErrNotRegular)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		stdin = f
	}
	var names []string
	lines := bufio.NewScanner(io.LimitReader(stdin, maxList))
	for lines.Scan() {
		if line := strings.TrimSuffix(lines.Text(), "\r"); line != "" {
			names = append(names, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return names, nil
}

// reader returns a function that reads images by their names. It reads standard input at the first call for it alone.
func reader(stdin io.Reader) func(name string) (*vision.Image, error) {
	return func(name string) (*vision.Image, error) {
		if name != photo.StandardInput {
			return photo.Read(name)
		}
		m, err := vision.Decode(stdin, vision.DecodeOptions{Name: "standard input", ApplyOrientation: true, Alpha: true})
		if err != nil && errors.Is(err, fs.ErrClosed) {
			return nil, errors.New("standard input: it is closed")
		}
		return m, err
	}
}
