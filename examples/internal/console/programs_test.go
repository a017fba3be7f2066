package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPrograms checks that all programs have one shape: a doc.go that opens with the command and states -json and the exit
// status, and a command line of this package.
func TestPrograms(t *testing.T) {
	mains, err := filepath.Glob("../../*/main.go")
	if err != nil || len(mains) < 10 {
		t.Fatalf("found %q, %v", mains, err)
	}
	for _, main := range mains {
		dir := filepath.Dir(main)
		name := filepath.Base(dir)
		doc, err := os.ReadFile(filepath.Join(dir, "doc.go"))
		if err != nil {
			t.Error(err)
			continue
		}
		// Lines of a comment may break anywhere.
		text := regexp.MustCompile(`\s+(// ?\s*)*`).ReplaceAllString(string(doc), " ")
		title := strings.ToUpper(name[:1]) + name[1:]
		for _, want := range []string{"// " + title + " ", "go run ./examples/" + name + " ", "-json", "The exit status is 0", " 130 after "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s/doc.go: expected the text %q", name, want)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var source strings.Builder
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "doc.go" {
				continue
			}
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(code)
		}
		wanted := []string{"console.Run(", "console.ParseFlags(", `"json", false, `}
		if !strings.Contains(source.String(), "console.Execute(") {
			wanted = append(wanted, "console.PrintJSON(")
		}
		if strings.Contains(source.String(), `"threads", `) {
			wanted = append(wanted, "console.CheckThreads(")
		}
		for _, want := range wanted {
			if !strings.Contains(source.String(), want) {
				t.Errorf("%s: expected the code %s", name, want)
			}
		}
	}
}
