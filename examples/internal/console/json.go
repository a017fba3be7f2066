package console

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
)

// Number is a float32 that JSON holds in full precision, or as null if it is not finite.
type Number float32

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 32), nil
}

// Numbers converts values to Numbers. In JSON, no values are [] and never null.
func Numbers(values []float32) []Number {
	n := make([]Number, len(values))
	for i, v := range values {
		n[i] = Number(v)
	}
	return n
}

// PrintJSON writes one value as one line of JSON, without HTML escapes.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
