package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// A model is a model of any package.
type model struct {
	parts any // with the parameters
	use   func(w *simd.Workers, m simd.Math)
	save  func(dir string) error
	// accuracy returns the share of images that are classified right; nil for a model that classifies no images.
	accuracy func(ctx context.Context, images vision.Dataset) (float64, error)
}

// openers open the models of each package.
var openers = map[string]func(path string, o models.LoadOptions) (*model, error){
	"models/vit": func(path string, o models.LoadOptions) (*model, error) {
		m, err := vit.Open(path, o)
		if err != nil {
			return nil, err
		}
		out := &model{parts: m, use: func(w *simd.Workers, x simd.Math) { m.Workers, m.Math = w, x }, save: func(dir string) error { return m.Save(dir, vit.SaveOptions{}) }}
		if m.Head != nil {
			out.accuracy = func(ctx context.Context, images vision.Dataset) (float64, error) {
				confusion, err := m.Evaluate(ctx, images)
				if err != nil {
					return 0, err
				}
				return confusion.Accuracy(), nil
			}
		}
		return out, nil
	},
	"models/bert": func(path string, o models.LoadOptions) (*model, error) {
		m, err := bert.Open(path, o)
		if err != nil {
			return nil, err
		}
		return &model{parts: m, use: func(w *simd.Workers, x simd.Math) { m.Workers, m.Math = w, x }, save: func(dir string) error { return m.Save(dir, bert.SaveOptions{}) }}, nil
	},
	"models/clip": func(path string, o models.LoadOptions) (*model, error) {
		m, err := clip.Open(path, o)
		if err != nil {
			return nil, err
		}
		return &model{parts: m, use: func(w *simd.Workers, x simd.Math) { m.Workers, m.Math = w, x }, save: func(dir string) error { return m.Save(dir, clip.SaveOptions{}) }}, nil
	},
	"models/mae": func(path string, o models.LoadOptions) (*model, error) {
		m, err := mae.Open(path, o)
		if err != nil {
			return nil, err
		}
		return &model{parts: m, use: func(w *simd.Workers, x simd.Math) { m.Workers, m.Math = w, x }, save: func(dir string) error { return m.Save(dir, mae.SaveOptions{}) }}, nil
	},
	"models/detect": func(path string, o models.LoadOptions) (*model, error) {
		m, err := detect.Open(path, o)
		if err != nil {
			return nil, err
		}
		return &model{parts: m.Network, use: func(w *simd.Workers, x simd.Math) { m.Workers, m.Math = w, x }, save: func(dir string) error { return m.Save(dir, detect.SaveOptions{}) }}, nil
	},
}

// open opens the model that -model names. The model_type of its config.json tells the package; without one it is a Vision
// Transformer.
func open(ctx context.Context, name string, c *console.Console) (*model, error) {
	return fetch.Open(ctx, name, c, func(path string, o models.LoadOptions) (*model, error) {
		pkg := "models/vit"
		var config struct {
			ModelType string `json:"model_type"`
		}
		if data, err := os.ReadFile(filepath.Join(path, "config.json")); err == nil && json.Unmarshal(data, &config) == nil && config.ModelType != "" {
			pkg = models.PackageFor(config.ModelType)
		}
		f := openers[pkg]
		if f == nil {
			return nil, fmt.Errorf("%s: config.json: model_type: expected that of a transformer, found %q", path, config.ModelType)
		}
		return f(path, o)
	})
}
