package boxes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// yamlNames returns the value of the key names of a YAML file, nil where there is none. It reads the forms that files of
// YOLO have, and refuses others:
//
//	names: [cat, 'dog']
//	names: {0: cat, 1: "dog"}
//
// and the same as a block, one "- cat" or "0: cat" a line. Of the number nc it only expects that it fits. The Error has no
// File.
func yamlNames(text string) ([]string, *Error) {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(uncommented(lines[i]), " \t\r")
	}
	var names []string
	count, at := -1, -1 // nc, and the line of names
	for i, line := range lines {
		fail := func(err error) ([]string, *Error) { return nil, &Error{Where: fmt.Sprintf("line %d", i+1), Err: err} }
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var err error
		switch {
		case key == "nc":
			if count, err = strconv.Atoi(value); err != nil {
				return fail(errors.New("nc: expected a whole number"))
			}
		case key == "names" && at >= 0:
			return fail(errors.New("names is given twice"))
		case key == "names":
			at = i
			switch {
			case value == "":
				names, err = yamlBlock(lines[i+1:])
			case value[0] == '[' || value[0] == '{':
				names, err = yamlFlow(value[0], strings.Join(append([]string{value[1:]}, lines[i+1:]...), "\n"))
			default:
				err = errors.New("expected a list, or numbers with names")
			}
			if err != nil {
				return fail(fmt.Errorf("names: %w", err))
			}
		}
	}
	if at >= 0 && count >= 0 && count != len(names) {
		return nil, &Error{Where: fmt.Sprintf("line %d", at+1), Err: fmt.Errorf("%d names, and nc is %d", len(names), count)}
	}
	return names, nil
}

// yamlValue returns the value of a key of a YAML file whose value is a line of text, and its line from 1; "" and 0 where there is
// none, and "" for null.
func yamlValue(text, key string) (value string, line int, err error) {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		name, rest, ok := strings.Cut(strings.TrimRight(uncommented(l), " \t\r"), ":")
		if !ok || name != key {
			continue
		}
		if line != 0 {
			return "", i + 1, errors.New("it is given twice")
		}
		line = i + 1
		switch rest = strings.TrimSpace(rest); rest {
		case "":
			for _, next := range lines[i+1:] {
				if next = strings.TrimRight(uncommented(next), " \t\r"); next == "" {
					continue
				}
				if next[0] == ' ' || next[0] == '-' {
					return "", line, fmt.Errorf("%q, expected text behind the key", shortened(strings.TrimSpace(next)))
				}
				break
			}
			continue
		case "~", "null":
			continue
		}
		after := ""
		if value, after, err = yamlScalar(rest, ""); err == nil && after != "" {
			err = fmt.Errorf("%q behind the value", shortened(after))
		}
		if err != nil {
			return "", line, fmt.Errorf("%q, expected text", shortened(rest))
		}
	}
	return value, line, nil
}

// yamlItem is an element of a list, which has no key, or of a map.
type yamlItem struct{ key, name string }

// yamlBlock reads items one a line, up to a line that is no item.
func yamlBlock(lines []string) ([]string, error) {
	var items []yamlItem
	keyed := false
	for _, line := range lines {
		item := strings.TrimLeft(line, " ")
		value, dashed := strings.CutPrefix(item, "- ")
		if item == "" {
			continue
		}
		if !dashed && len(item) == len(line) { // the next key
			break
		}
		if len(items) > 0 && keyed == dashed {
			return nil, errors.New("a list and numbers at once")
		}
		var i yamlItem
		if keyed = !dashed; keyed {
			var ok bool
			if i.key, value, ok = strings.Cut(item, ":"); !ok {
				return nil, fmt.Errorf("%q, expected a number and a name", shortened(item))
			}
		}
		var rest string
		var err error
		if i.name, rest, err = yamlScalar(value, ""); err == nil && strings.TrimSpace(rest) != "" {
			err = fmt.Errorf("%q behind a name", shortened(rest))
		}
		if err != nil {
			return nil, err
		}
		if items = append(items, i); len(items) > maxClasses {
			break
		}
	}
	return yamlList(items, keyed)
}

// yamlFlow reads items up to the bracket that closes the one before text.
func yamlFlow(open byte, text string) ([]string, error) {
	keyed, end := open == '{', "]"
	if keyed {
		end = "}"
	}
	var items []yamlItem
	for {
		text = strings.TrimLeft(text, " \t\n")
		if rest, ok := strings.CutPrefix(text, end); ok || len(items) > maxClasses {
			if rest, _, _ = strings.Cut(rest, "\n"); strings.TrimSpace(rest) != "" {
				return nil, fmt.Errorf("%q behind the end", shortened(strings.TrimSpace(rest)))
			}
			return yamlList(items, keyed)
		}
		var i yamlItem
		var err error
		if keyed {
			if i.key, text, err = yamlScalar(text, ":,}"); err == nil && !strings.HasPrefix(text, ":") {
				err = fmt.Errorf("%q without a name", shortened(i.key))
			}
			text = strings.TrimPrefix(text, ":")
		}
		if err == nil {
			i.name, text, err = yamlScalar(text, ","+end)
		}
		if err != nil {
			return nil, err
		}
		items = append(items, i)
		if !strings.HasPrefix(text, ",") && !strings.HasPrefix(text, end) {
			return nil, fmt.Errorf("no %s at the end", end)
		}
		text = strings.TrimPrefix(text, ",")
	}
}

// yamlScalar reads a value: up to one of the stops, or in quotes. It returns the text from the stop on.
func yamlScalar(text, stops string) (value, rest string, err error) {
	text = strings.TrimLeft(text, " \t\n")
	switch {
	case text == "":
		return "", "", errors.New("a name is missing")
	case text[0] == '\'':
		for i := 1; i < len(text); i++ {
			if text[i] != '\'' {
				continue
			}
			if i+1 < len(text) && text[i+1] == '\'' { // stands for one
				i++
				continue
			}
			return strings.ReplaceAll(text[1:i], "''", "'"), strings.TrimLeft(text[i+1:], " \t\n"), nil
		}
		return "", "", errors.New("no quote at the end of a name")
	case text[0] == '"':
		quoted, err := strconv.QuotedPrefix(text)
		if err == nil {
			value, err = strconv.Unquote(quoted)
		}
		if err != nil {
			return "", "", errors.New("no quote at the end of a name, or an unknown escape")
		}
		return value, strings.TrimLeft(text[len(quoted):], " \t\n"), nil
	case strings.IndexByte("[]{}&*!|>%@`?", text[0]) >= 0:
		return "", "", fmt.Errorf("%q, expected a name", shortened(text))
	}
	end := len(text)
	if at := strings.IndexAny(text, stops); stops != "" && at >= 0 {
		end = at
	}
	value = strings.TrimSpace(text[:end])
	if value == "" || strings.Contains(value, "\n") {
		return "", "", fmt.Errorf("%q, expected a name", shortened(value))
	}
	return value, text[end:], nil
}

// yamlList returns the names in the order of their numbers, which must be those from 0 on.
func yamlList(items []yamlItem, keyed bool) ([]string, error) {
	if len(items) == 0 || len(items) > maxClasses {
		return nil, fmt.Errorf("%d names, expected 1 to %d", len(items), maxClasses)
	}
	names := make([]string, len(items))
	given := make([]bool, len(items))
	for i, item := range items {
		if keyed {
			n, err := strconv.Atoi(strings.TrimSpace(item.key))
			if err != nil || n < 0 || n >= len(items) || given[n] {
				return nil, fmt.Errorf("the number %q, expected those from 0 to %d, each once", shortened(item.key), len(items)-1)
			}
			i = n
		}
		names[i], given[i] = item.name, true
	}
	return names, nil
}

// uncommented cuts off a comment: # at the beginning or behind a space, outside quotes. A quote counts where a value begins.
func uncommented(line string) string {
	var quote byte
	last := byte('-') // before the spaces, if any
	for i := range len(line) {
		c := line[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return line[:i]
		case (c == '\'' || c == '"') && strings.IndexByte("-[{,:", last) >= 0:
			quote = c
		}
		if c != ' ' && c != '\t' {
			last = c
		}
	}
	return line
}
