package text

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/fovea-ml/fovea/text/internal/component"
)

// checkID returns an error for a number that is no id.
func checkID(name string, id int) error {
	if id < 0 || int64(id) > math.MaxUint32 {
		return fmt.Errorf("%s: expected a whole number from 0 to %d, found %d", name, uint32(math.MaxUint32), id)
	}
	return nil
}

// requiredID reads a field that is an id.
func requiredID(f *component.Fields, name string) int {
	id := component.Required[int](f, name)
	if err := checkID(name, id); err != nil {
		f.Fail("%w", err)
	}
	return id
}

// marshal writes JSON as the reference does, without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
