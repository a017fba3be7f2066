package fovea_test

import (
	"go/ast"
	"go/doc"
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
				t.Errorf("the package comment has %d words, expected an essay", n)
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
