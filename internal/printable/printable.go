// Package printable writes names from untrusted sources into messages:
//
//	fmt.Errorf("%s: not an image", printable.Name(file))
package printable

import (
	"strconv"
	"unicode/utf8"
)

// Name returns a file's name for a message. A name that is not UTF-8, or that holds control characters or marks of
// writing direction, is quoted: printed as it is, it could rule a terminal or show another name.
func Name(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return strconv.QuoteToASCII(name)
		}
	}
	return name
}
