package config

import (
	"bytes"
	"encoding/json"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// Float is a number that is written as 0.0 and not as 0: transformers refuses whole numbers for some fields.
type Float[T float32 | float64] struct{ Value T }

// MarshalJSON writes the number with a point or an exponent.
func (f Float[T]) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(f.Value)
	if err == nil && !bytes.ContainsAny(text, ".e") {
		text = append(text, ".0"...)
	}
	return text, err
}

// UnmarshalJSON reads a number.
func (f *Float[T]) UnmarshalJSON(data []byte) error { return strictjson.Decode(data, &f.Value) }
