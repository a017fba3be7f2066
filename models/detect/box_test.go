package detect

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestBox expects every field and method of a Box in its comment: go doc does not print those of an alias.
func TestBox(t *testing.T) {
	source, err := os.ReadFile("detection.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, ok := strings.Cut(string(source), "type Box = ")
	if !ok {
		t.Fatal("found no Box")
	}
	box := reflect.TypeFor[Box]()
	for i := range box.NumField() {
		if name := box.Field(i).Name; !strings.Contains(comment, name) {
			t.Errorf("the comment lacks the field %s", name)
		}
	}
	for i := range box.NumMethod() {
		if name := box.Method(i).Name; !strings.Contains(comment, "//\t"+name+"(") {
			t.Errorf("the comment lacks the method %s", name)
		}
	}
}
