package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fovea-ml/fovea/internal/smallfile"
)

// config holds the fields of a model folder's config.json that are shown.
type config struct {
	ModelType     string   `json:"model_type,omitempty"`
	Architectures []string `json:"architectures,omitempty"`
	Architecture  string   `json:"architecture,omitempty"` // timm's
	Heads         int      `json:"num_attention_heads,omitempty"`
}

// readConfig reads config.json. Without one it returns nil.
func readConfig(dir string) (*config, error) {
	data, err := smallfile.Read(os.DirFS(dir), "config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var c config
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: config.json: %w", dir, err)
	}
	return &c, nil
}
