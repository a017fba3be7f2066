package simd

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// generatedHeader is the line that marks a generated file for Go's tools.
var generatedHeader = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// .gitattributes marks exactly the files whose header says that they are generated.
func TestGeneratedFilesAreMarked(t *testing.T) {
	root := ".."
	attributes, err := os.ReadFile(filepath.Join(root, ".gitattributes"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]int{} // by pattern
	for line := range strings.Lines(string(attributes)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "linguist-generated=true" {
			files[f[0]] = 0
		}
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if ext := filepath.Ext(name); ext != ".go" && ext != ".s" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		head, _, _ := bytes.Cut(text, []byte("\npackage "))
		generated, marked := generatedHeader.Match(head[:min(len(head), 1<<10)]), false
		for pattern := range files {
			match, err := path.Match(pattern, filepath.ToSlash(rel))
			if err != nil {
				return err
			}
			if match {
				files[pattern]++
				marked = true
			}
		}
		switch {
		case generated && !marked:
			t.Errorf("%s is generated, and .gitattributes does not mark it", rel)
		case marked && !generated:
			t.Errorf("%s has no header of a generated file, and .gitattributes marks it", rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, n := range files {
		if n == 0 {
			t.Errorf("no file matches the pattern %s of .gitattributes", pattern)
		}
	}
	if len(files) == 0 {
		t.Error(".gitattributes marks no files")
	}
}
