package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/backbone"
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

// modelOf returns a model of these parts, which has these fields and this method.
func modelOf(parts any, workers **simd.Workers, math *simd.Math, save func(dir string, o models.SaveOptions) error) *model {
	return &model{
		parts: parts,
		use:   func(w *simd.Workers, x simd.Math) { *workers, *math = w, x },
		save:  func(dir string) error { return save(dir, models.SaveOptions{}) },
	}
}

// accuracyOf returns the accuracy of a classifier with this method Evaluate.
func accuracyOf(evaluate func(ctx context.Context, images vision.Dataset) (*metrics.Confusion, error)) func(context.Context, vision.Dataset) (float64, error) {
	return func(ctx context.Context, images vision.Dataset) (float64, error) {
		confusion, err := evaluate(ctx, images)
		if err != nil {
			return 0, err
		}
		return confusion.Accuracy(), nil
	}
}

// openers open the models of each package.
var openers = map[string]func(path string, o models.LoadOptions) (*model, error){
	"models/vit": func(path string, o models.LoadOptions) (*model, error) {
		m, err := vit.Open(path, o)
		if err != nil {
			return nil, err
		}
		out := modelOf(m, &m.Workers, &m.Math, m.Save)
		if m.Head != nil {
			out.accuracy = accuracyOf(m.Evaluate)
		}
		return out, nil
	},
	"models/backbone": func(path string, o models.LoadOptions) (*model, error) {
		m, err := backbone.Open(path, o)
		if err != nil {
			return nil, err
		}
		out := modelOf(m, &m.Workers, &m.Math, m.Save)
		if m.Head != nil {
			out.accuracy = accuracyOf(m.Evaluate)
		}
		return out, nil
	},
	"models/bert": func(path string, o models.LoadOptions) (*model, error) {
		m, err := bert.Open(path, o)
		if err != nil {
			return nil, err
		}
		return modelOf(m, &m.Workers, &m.Math, m.Save), nil
	},
	"models/clip": func(path string, o models.LoadOptions) (*model, error) {
		m, err := clip.Open(path, o)
		if err != nil {
			return nil, err
		}
		return modelOf(m, &m.Workers, &m.Math, m.Save), nil
	},
	"models/mae": func(path string, o models.LoadOptions) (*model, error) {
		m, err := mae.Open(path, o)
		if err != nil {
			return nil, err
		}
		return modelOf(m, &m.Workers, &m.Math, m.Save), nil
	},
	"models/detect": func(path string, o models.LoadOptions) (*model, error) {
		m, err := detect.Open(path, o)
		if err != nil {
			return nil, err
		}
		return modelOf(m.Network, &m.Workers, &m.Math, m.Save), nil
	},
}

// open opens the model that -model names. The model_type of its config.json tells the package. Without one the weights do:
// those of a Vision Transformer, a detector, or another network for images.
func open(ctx context.Context, name string, c *console.Console) (*model, error) {
	return fetch.Open(ctx, name, c, func(path string, o models.LoadOptions) (*model, error) {
		var config struct {
			ModelType string `json:"model_type"`
		}
		if data, err := os.ReadFile(filepath.Join(path, "config.json")); err == nil && json.Unmarshal(data, &config) == nil && config.ModelType != "" {
			f := openers[models.PackageFor(config.ModelType)]
			if f == nil {
				return nil, fmt.Errorf("%s: config.json: model_type: expected that of a supported model, found %q", path, config.ModelType)
			}
			return f(path, o)
		}
		var failed []error
		for _, pkg := range []string{"models/vit", "models/detect", "models/backbone"} {
			m, err := openers[pkg](path, o)
			if err == nil {
				return m, nil
			}
			failed = append(failed, err)
		}
		return nil, fmt.Errorf("%s: expected weights of a Vision Transformer, a detector or a network of convolutions, since no config.json "+
			"has a model_type; none of them fits:\n%w", path, errors.Join(failed...))
	})
}
