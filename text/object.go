package text

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// maxNested is how deep components of a pipeline may lie inside each other. Each level is read again.
const maxNested = 64

// kind returns the field "type" of a component.
func kind(data []byte) (string, error) {
	var c struct {
		Type *string `json:"type"`
	}
	if err := strictjson.Decode(data, &c); err != nil {
		return "", err
	}
	if c.Type == nil {
		return "", fmt.Errorf(`expected a field "type", found none`)
	}
	return *c.Type, nil
}

// decode fills target from an object. It demands the fields of required, separated by spaces, and refuses fields that neither
// list names.
func decode(data []byte, target any, required, optional string) error {
	must := strings.Fields(required)
	may := strings.Fields(optional)
	var unknown error
	found := map[string]bool{}
	err := strictjson.Object(data, func(key string, _ []byte) {
		found[key] = true
		if unknown == nil && !slices.Contains(must, key) && !slices.Contains(may, key) {
			unknown = fmt.Errorf("%s: unsupported field", key)
		}
	})
	if err == nil {
		err = unknown
	}
	if err != nil {
		return err
	}
	for _, key := range must {
		if !found[key] {
			return fmt.Errorf("%s: expected a value, found no such field", key)
		}
	}
	return strictjson.Decode(data, target)
}

// checkID returns an error for a number that is no id.
func checkID(name string, id int) error {
	if id < 0 || int64(id) > math.MaxUint32 {
		return fmt.Errorf("%s: expected a whole number from 0 to %d, found %d", name, uint32(math.MaxUint32), id)
	}
	return nil
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
