package checkpoint

import (
	"fmt"
	"strings"
)

// Nest returns the rules of a part of a model where that part lies below a path: with the path before each rule's
// path, and stems[i] before the rule's name in column i+1, joined by dots.
//
//	var block = []checkpoint.Rule{{"MLP.FC1", "mlp.fc1", "ffn.up"}, {"MLP.FC2", "mlp.fc2", "ffn.down"}}
//	rules := checkpoint.Nest("Text.Blocks.{}", []string{"text_model.encoder.layers.{}", "blocks.{}"}, block...)
//
// So one table of a block serves every stack of such blocks, two towers in one file too, and nested rules can be
// nested again. An empty path or stem puts nothing in front. A rule whose path is "" is about the part itself, and
// its name "." is the stem; the name "" stays no name. Rows longer than the stems are shortened to them.
//
// It panics when the path or a stem ends in a dot.
func Nest(path string, stems []string, rules ...Rule) []Rule {
	for _, s := range append([]string{path}, stems...) {
		if strings.HasSuffix(s, ".") {
			panic(fmt.Sprintf("checkpoint: nest: expected a path without a dot at its end, found %q", s))
		}
	}
	nested := make([]Rule, len(rules))
	for i, r := range rules {
		row := make(Rule, min(len(r), 1+len(stems)))
		for column := range row {
			switch {
			case column == 0:
				row[0] = below(path, r[0])
			case r[column] != "":
				row[column] = below(stems[column-1], r[column])
			}
		}
		nested[i] = row
	}
	return nested
}

// below puts a stem before a path or name. A name may be the stem itself, ".", followed by a form such as " T".
func below(stem, name string) string {
	form, own := strings.CutPrefix(name, ".")
	switch {
	case stem == "":
		return name
	case name == "":
		return stem
	case own && (form == "" || form[0] == ' '):
		return stem + form
	}
	return stem + "." + name
}
