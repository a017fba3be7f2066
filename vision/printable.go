package vision

import (
	"strconv"
	"unicode/utf8"
)

// printable returns a file's name for a message. A name that is not UTF-8, or that holds control characters or marks of
// writing direction, is quoted: printed as it is, it could rule a terminal or show another name.
func printable(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return strconv.QuoteToASCII(name)
		}
	}
	return name
}
