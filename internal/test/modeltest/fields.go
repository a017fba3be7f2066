package modeltest

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// Fields asks a Python library for the fields of a class and expects each in the table, once. A refused field has a
// reason and is refused with a value that is not among the same. Without FOVEA_PYTHON only the table itself is checked.
func Fields(t *testing.T, table strictjson.Fields, library string, class ...string) {
	t.Helper()
	checkTable(t, table)
	var theirs []string
	if err := json.Unmarshal(Python(t, "fields.py", append([]string{library}, class...)...), &theirs); err != nil {
		t.Fatal(err)
	}
	compare(t, table, theirs, class...)
}

// Table is a table of the fields of classes.
type Table struct {
	Fields  strictjson.Fields
	Classes []string
}

// Tables is [Fields] for several tables, of classes of one library. It runs Python once.
func Tables(t *testing.T, library string, tables ...Table) {
	t.Helper()
	args := []string{library, "each"}
	for _, x := range tables {
		checkTable(t, x.Fields)
		args = append(args, x.Classes...)
	}
	var theirs map[string][]string
	if err := json.Unmarshal(Python(t, "fields.py", args...), &theirs); err != nil {
		t.Fatal(err)
	}
	for _, x := range tables {
		for _, class := range x.Classes {
			compare(t, x.Fields, theirs[class], class)
		}
	}
}

// checkTable checks a table by itself.
func checkTable(t *testing.T, table strictjson.Fields) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range table {
		if seen[f.Name] {
			t.Errorf("%s is in the table twice", f.Name)
		}
		seen[f.Name] = true
		if f.Use != strictjson.Used && f.Reason == "" {
			t.Errorf("%v has no reason", f.Name)
		}
		err := table.Check([]byte(`{"` + f.Name + `": "some other value"}`))
		if (err != nil) != (f.Use == strictjson.Refused) {
			t.Errorf("%s: found %v", f.Name, err)
		}
		for _, same := range f.Same {
			if err := table.Check([]byte(`{"` + f.Name + `": ` + same + `}`)); err != nil {
				t.Error(err)
			}
		}
	}
}

// compare expects the fields of a class in the table.
func compare(t *testing.T, table strictjson.Fields, theirs []string, class ...string) {
	t.Helper()
	if len(theirs) < 5 {
		t.Errorf("%v has the fields %v, expected 5 or more", class, theirs)
	}
	slices.Sort(theirs)
	for _, name := range table.Missing(theirs) {
		t.Errorf("%v has the field %s, which the table lacks: say whether it is used, harmless or refused", class, name)
	}
}
