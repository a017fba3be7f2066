package checkpoint

import (
	"fmt"
	"strings"
)

// Nest returns rules with the path put before each rule's path, and stems[i] before the rule's name in column i+1, joined
// by dots.
//
//	var block = []checkpoint.Rule{{"MLP.FC1", "mlp.fc1", "ffn.up"}, {"MLP.FC2", "mlp.fc2", "ffn.down"}}
//	rules := checkpoint.Nest("Text.Blocks.{}", []string{"text_model.encoder.layers.{}", "blocks.{}"}, block...)
//
// One table of a block thus serves every stack of such blocks, and two towers in one file. Nested rules can be nested
// again.
//
// An empty path or stem puts nothing in front. A rule with the path "" is for the parent itself, and so is the name ".":
// it stands for the stem. Below an empty stem it stays ".", the top of the file. The name "" stays no name. A row with
// more names than stems is shortened.
//
// Nest panics when the path or a stem ends in a dot.
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

// below puts a stem before a path or name. The name "." is the stem itself, and a form such as " T" may follow it.
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
