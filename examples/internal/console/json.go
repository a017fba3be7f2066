package console

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Number is a float32 that JSON holds in full precision, or as null if it is not finite.
type Number float32

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) { return number(float64(n), 32) }

// Double is a float64 that JSON holds in full precision, or as null if it is not finite. A value that is also a float32
// has the digits of a [Number].
type Double float64

// MarshalJSON implements json.Marshaler.
func (n Double) MarshalJSON() ([]byte, error) {
	if f := float64(n); float64(float32(f)) == f {
		return number(f, 32)
	}
	return number(float64(n), 64)
}

func number(f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, bits), nil
}

// Numbers converts values to Numbers. In JSON, no values are [] and never null.
func Numbers[F ~float32 | ~float64](values []F) []Number {
	n := make([]Number, len(values))
	for i, v := range values {
		n[i] = Number(v)
	}
	return n
}

// Name is the name of a file. Systems allow bytes in it that are not UTF-8. In JSON, each such byte b is the escape
// \udcXX with XX = b, as in the JSON that Python writes for os.listdir: Python's os.fsencode gives the bytes back.
type Name string

// MarshalJSON implements json.Marshaler.
func (n Name) MarshalJSON() ([]byte, error) {
	b := []byte{'"'}
	for s := string(n); len(s) > 0; {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b = appendUnit(b, 0xdc00+uint16(s[0]))
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		default:
			b = appendPrintable(b, r)
		}
		s = s[size:]
	}
	return append(b, '"'), nil
}

// PrintJSON writes one value as one line of JSON, without HTML escapes. Characters that are not printable are escaped,
// so that a name cannot control the terminal.
func PrintJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	// Such characters stand only in strings.
	b := make([]byte, 0, text.Len())
	for _, r := range string(bytes.TrimSuffix(text.Bytes(), []byte("\n"))) {
		b = appendPrintable(b, r)
	}
	_, err := w.Write(append(b, '\n'))
	return err
}

// appendPrintable appends a character of a JSON text, escaped if it is not printable.
func appendPrintable(b []byte, r rune) []byte {
	if unicode.IsPrint(r) {
		return utf8.AppendRune(b, r)
	}
	for _, u := range utf16.AppendRune(nil, r) {
		b = appendUnit(b, u)
	}
	return b
}

func appendUnit(b []byte, u uint16) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
}
