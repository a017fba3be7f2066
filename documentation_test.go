package fovea_test

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocumentation demands of every package of the library a comment that is more than a sentence, an Example whose
// output is checked, and a comment for each exported name, method and group of constants.
func TestDocumentation(t *testing.T) {
	for pkg := range readImports(t) {
		if pkg == "." || withinAny(pkg, programs) || strings.Contains("/"+pkg+"/", "/internal/") {
			continue
		}
		t.Run(pkg, func(t *testing.T) {
			p := readDoc(t, pkg)
			if n := len(strings.Fields(p.Doc)); n < 80 {
				t.Errorf("the package comment has %d words, expected an essay of at least 80", n)
			}
			examples := p.Examples
			for _, f := range p.Funcs {
				examples = append(examples, f.Examples...)
			}
			for _, typ := range p.Types {
				examples = append(examples, typ.Examples...)
				for _, f := range slices.Concat(typ.Funcs, typ.Methods) {
					examples = append(examples, f.Examples...)
				}
			}
			if !slices.ContainsFunc(examples, func(e *doc.Example) bool { return e.Output != "" }) {
				t.Error("no Example with checked output")
			}
			for _, name := range undocumented(p) {
				t.Errorf("%s has no comment", name)
			}
		})
	}
}

// readDoc parses a package, for linux/amd64 or whatever the tests run on.
func readDoc(t *testing.T, pkg string) *doc.Package {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(set, name, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(set, files, module+"/"+pkg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plain are methods whose meaning their interface gives.
var plain = []string{"Error", "Unwrap", "Is", "String"}

// undocumented returns the exported names without a comment.
func undocumented(p *doc.Package) []string {
	var names []string
	check := func(name, comment string) {
		if comment == "" {
			names = append(names, name)
		}
	}
	values := func(groups []*doc.Value) {
		for _, v := range groups {
			if v.Doc != "" {
				continue
			}
			for _, spec := range v.Decl.Specs { // a group may be commented one by one
				if s := spec.(*ast.ValueSpec); s.Doc == nil && s.Comment == nil {
					check(s.Names[0].Name, "")
				}
			}
		}
	}
	values(p.Consts)
	values(p.Vars)
	for _, f := range p.Funcs {
		check(f.Name, f.Doc)
	}
	for _, typ := range p.Types {
		check(typ.Name, typ.Doc)
		values(typ.Consts)
		values(typ.Vars)
		for _, f := range typ.Funcs {
			check(f.Name, f.Doc)
		}
		for _, m := range typ.Methods {
			if m.Level == 0 && !slices.Contains(plain, m.Name) {
				check(typ.Name+"."+m.Name, m.Doc)
			}
		}
	}
	return names
}

// maxWords is the length beyond which a sentence is long, and maxLong the share of such sentences in package comments.
const (
	maxWords = 30
	maxLong  = 0.07
)

// TestSentences bounds the share of long sentences in all package comments together. Headings and code do not count; list
// items count like sentences.
func TestSentences(t *testing.T) {
	long, all := 0, 0
	for pkg := range readImports(t) {
		for _, s := range sentences(readDoc(t, pkg).Doc) {
			all++
			if len(strings.Fields(s)) > maxWords {
				long++
				t.Logf("%s: %s", pkg, s)
			}
		}
	}
	if share := float64(long) / float64(all); share > maxLong {
		t.Errorf("%d of %d sentences in package comments have more than %d words, %.1f %%; expected at most %.0f %%: split them",
			long, all, maxWords, 100*share, 100*maxLong)
	}
}

// sentences splits a comment at full stops, list items and paragraphs.
func sentences(text string) []string {
	var p comment.Parser
	var out []string
	var add func(blocks []comment.Block)
	add = func(blocks []comment.Block) {
		for _, b := range blocks {
			switch b := b.(type) {
			case *comment.Paragraph:
				words := strings.Fields(string(new(comment.Printer).Text(&comment.Doc{Content: []comment.Block{b}})))
				text := strings.Join(words, " ")
				out = append(out, strings.Split(text, ". ")...)
			case *comment.List:
				for _, item := range b.Items {
					add(item.Content)
				}
			}
		}
	}
	add(p.Parse(text).Content)
	return out
}
