package vision

import (
	"fmt"
	"strconv"
	"strings"
)

// maxExpanded bounds the names that one pattern stands for.
const maxExpanded = 1 << 20

// expandBraces returns the names that a pattern with braces stands for, as bash expands them: {a,b} is a list, {1..10} a
// range, {001..100} a range of numbers with leading zeros, {0..10..2} a range by steps. Lists may hold braces. Other braces stay
// as they are.
func expandBraces(pattern string) ([]string, error) {
	for open := 0; open < len(pattern); open++ {
		if pattern[open] != '{' {
			continue
		}
		items, end, err := braceItems(pattern[open:])
		if err != nil {
			return nil, err
		}
		if end == 0 { // no list: the brace is itself
			continue
		}
		tails, err := expandBraces(pattern[open+end:])
		if err != nil {
			return nil, err
		}
		var out []string
		for _, item := range items {
			for _, tail := range tails {
				if len(out) == maxExpanded {
					return nil, fmt.Errorf("the braces stand for more than %d names", maxExpanded)
				}
				out = append(out, pattern[:open]+item+tail)
			}
		}
		return out, nil
	}
	return []string{pattern}, nil
}

// braceItems returns the items of the braces at the start of s, and where they end. The end is 0 when they hold no list and
// no range.
func braceItems(s string) (items []string, end int, err error) {
	depth, start := 0, 1
	var parts []string
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case ',':
			if depth == 1 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		case '}':
			if depth--; depth > 0 {
				continue
			}
			if parts == nil {
				items, err = braceRange(s[1:i])
				if items == nil {
					return nil, 0, err
				}
				return items, i + 1, nil
			}
			for _, part := range append(parts, s[start:i]) {
				inner, err := expandBraces(part)
				if err != nil {
					return nil, 0, err
				}
				if items = append(items, inner...); len(items) > maxExpanded {
					return nil, 0, fmt.Errorf("the braces stand for more than %d names", maxExpanded)
				}
			}
			return items, i + 1, nil
		}
	}
	return nil, 0, nil
}

// braceRange returns the items of a range such as 08..12, or nil where s is none.
func braceRange(s string) ([]string, error) {
	ends := strings.Split(s, "..")
	if len(ends) < 2 || len(ends) > 3 {
		return nil, nil
	}
	var numbers [3]int64 // the difference of two fits, also where int has 32 bits
	for i, end := range ends {
		n, err := strconv.ParseInt(end, 10, 64)
		if err != nil || len(end) > 18 || strings.HasPrefix(end, "+") {
			return nil, nil
		}
		numbers[i] = n
	}
	first, last, step := numbers[0], numbers[1], max(numbers[2], -numbers[2])
	step = max(step, 1)
	if last < first {
		step = -step
	}
	count := (last-first)/step + 1
	if count > maxExpanded {
		return nil, fmt.Errorf("{%s} stands for more than %d names", s, maxExpanded)
	}
	width := 0
	for _, end := range ends[:2] {
		if digits := strings.TrimPrefix(end, "-"); len(digits) > 1 && digits[0] == '0' {
			width = max(len(ends[0]), len(ends[1]))
		}
	}
	items := make([]string, count)
	for i := range items {
		items[i] = fmt.Sprintf("%0*d", width, first+int64(i)*step)
	}
	return items, nil
}
