package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// table writes a file.
func table(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadTable(t *testing.T) {
	for _, c := range []struct {
		name, content string
		columns       columns
		want          []row
	}{
		{"a.csv", "text,label\nhello,1\n\"two\nlines, \"\"quoted\"\"\",b\n", columns{"text", "label"}, []row{{"hello", "1", 2}, {"two\nlines, \"quoted\"", "b", 3}}},
		{"mark.CSV", "\ufeffid, Label,TEXT\r\n7, x ,a b\r\n", columns{"text", "label"}, []row{{"a b", "x", 2}}},
		{"a.tsv", "label\ttext\nspam\tthe \"Rock\" is 5\" wide\n\nham\t\"say \"\"hi\"\"\"\nham\t\"a\" or \"b\"\n", columns{"text", "label"},
			[]row{{"the \"Rock\" is 5\" wide", "spam", 2}, {`say "hi"`, "ham", 4}, {`"a" or "b"`, "ham", 5}}},
		{"a.jsonl", "{\"s\":\"a\\nb\",\"y\":3,\"more\":[1]}\n\n{\"y\":\"ü\",\"s\":\"c\"}\n{\"y\":true,\"s\":\"d\"}", columns{"s", "y"},
			[]row{{"a\nb", "3", 1}, {"c", "ü", 3}, {"d", "true", 4}}},
	} {
		got, err := readTable(table(t, c.name, c.content), c.columns)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: found %+v, %v, expected %+v", c.name, got, err, c.want)
		}
	}
}

// TestBadRows expects one clear error that names the file and the line.
func TestBadRows(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"a.csv", "", "expected rows"},
		{"a.csv", "text,label\n", "expected rows"},
		{"a.csv", "sentence,label\nx,y\n", `expected a column "text" in the first row, found "sentence", "label": name the column with -text`},
		{"a.csv", "text,label\na,b\nc\n", "line 3: expected 2 columns, found 1"},
		{"a.csv", "text,label\na,b\n\"c,d\n", "line"},
		{"a.csv", "text,label\na,b\n ,d\n", `line 3: the text in the column "text" is empty`},
		{"a.csv", "text,label\na,\n", `line 2: the label in the column "label" is empty`},
		{"a.tsv", "text\tlabel\n\xff\tb\n", "line 2: expected UTF-8"},
		{"a.tsv", "text\tlabel\na\tb\tc\n", "line 2: expected 2 columns, found 3"},
		{"a.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":", "line 2: expected a JSON object"},
		{"a.jsonl", "null", "line 1: expected a JSON object"},
		{"a.jsonl", "{\"text\":1,\"label\":1}", `line 1: expected a text in the field "text"`},
		{"a.jsonl", "{\"label\":1}", `line 1: expected a text in the field "text"`},
		{"a.jsonl", "{\"text\":\"a\",\"label\":null}", `line 1: the field "label"`},
		{"a.jsonl", "{\"text\":\"a\",\"label\":1.5}", `line 1: the field "label"`},
		{"a.jsonl", "{\"text\":\"a\"}", `line 1: the field "label"`},
		{"a.jsonl", "{\"text\":\"a\",\"label\":\" \"}", `line 1: the label in the column "label" is empty`},
		{"a.jsonl", "{\"text\":\"\xff\",\"label\":1}", "line 1: expected UTF-8"},
		{"a.txt", "text\tlabel\na\tb\n", "expected a name that ends in .csv, .tsv or .jsonl"},
	} {
		path := table(t, c.name, c.content)
		rows, err := readTable(path, columns{"text", "label"})
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: found %v and error %v, expected %q", c.name, c.content, rows, err, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	for s, want := range map[string][]string{
		"It's a DOG, isn't it? 'Yes' 42": {"it's", "a", "dog", "isn't", "it", "yes", "42"},
		"猫はcool!":                        {"猫", "は", "cool"},
		" - ":                            nil,
		"naïve café":                     {"naïve", "café"},
	} {
		if got := words(s); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: found %q, expected %q", s, got, want)
		}
	}
}
