package text

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// backend is the class of transformers that uses a tokenizer.json as it is.
const backend = "TokenizersBackend"

//go:embed classes.txt
var classTable string

// classes are the choices of AutoTokenizer.
type classes struct {
	models map[string]string // class of a model type
	wrong  map[string]bool   // model types whose folders name a wrong class
	bare   map[string]bool   // model types without a configuration, whose class only a folder names
	names  map[string]string // class that a name stands for, with a dash before classes in Python
}

var readClasses = sync.OnceValue(func() *classes {
	c := &classes{map[string]string{}, map[string]bool{}, map[string]bool{}, map[string]string{}}
	for line := range strings.Lines(classTable) {
		switch f := strings.Fields(line); f[0] {
		case "model":
			c.models[f[1]] = f[2]
		case "wrong":
			c.wrong[f[1]] = true
		case "bare":
			c.bare[f[1]] = true
		case "class":
			c.names[f[1]] = f[2]
		}
	}
	return c
})

// choose returns the class that AutoTokenizer takes (tokenization_auto.py), by the model type and the class in
// config.json, and the class in tokenizer_config.json. Each may be empty. byteLevel says that tokenizer.json names the
// component ByteLevel.
func choose(modelType, modelClass, class string, byteLevel bool) string {
	c := readClasses()
	named := class
	if named == "" {
		named = modelClass
	}
	registered := strings.TrimSuffix(c.models[modelType], "Fast")
	if strings.TrimSuffix(named, "Fast") == "LlamaTokenizer" && byteLevel && !c.wrong[modelType] {
		return backend
	}
	if named != "" && registered != "" && registered != strings.TrimSuffix(named, "Fast") {
		if registered == backend {
			return backend
		}
		if c.wrong[modelType] {
			named = registered
		}
		return c.find(named)
	}
	if class != "" {
		return c.find(strings.TrimSuffix(class, "Fast"))
	}
	if modelClass != "" {
		if strings.HasPrefix(modelClass, "PreTrainedTokenizer") {
			return backend
		}
		return c.find(strings.TrimSuffix(modelClass, "Fast"))
	}
	if registered == "" || c.bare[modelType] {
		return backend
	}
	return c.find(registered)
}

// find returns the class that a name stands for, with or without Fast. An unknown name stands for the backend.
func (c *classes) find(name string) string {
	found, ok := c.names[name]
	for _, other := range []string{name + "Fast", strings.TrimSuffix(name, "Fast")} {
		if !ok {
			found, ok = c.names[other]
		}
	}
	if !ok || found == "-PythonBackend" {
		return backend
	}
	return found
}

// modelConfig are the fields of config.json that choose a class.
type modelConfig struct {
	Type  string
	Class string
}

func readModelConfig(data []byte) (modelConfig, error) {
	var c struct {
		Type  *string         `json:"model_type"`
		Class *string         `json:"tokenizer_class"`
		Auto  json.RawMessage `json:"auto_map"`
	}
	if err := strictjson.Decode(data, &c); err != nil {
		return modelConfig{}, fmt.Errorf("config.json: %w", err)
	}
	var out modelConfig
	if c.Type != nil {
		out.Type = *c.Type
	}
	if c.Class != nil {
		out.Class = *c.Class
	}
	return out, nil
}
