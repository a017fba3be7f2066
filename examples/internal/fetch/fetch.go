// Package fetch finds the model that a user names with -model or -init:
//
//	model, err := fetch.Open(ctx, "google/vit-base-patch16-224", out, vit.Open)
//
// The name is that of a file, a folder, or a model on the hub. A model on the hub is downloaded to the shared cache.
package fetch

import (
	"context"
	"fmt"
	"os"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/hub"
)

// Open opens the model that -model names: a file, a folder, or a model on the hub. open is the Open of a model's
// package, such as vit.Open; it gets zero options. Errors begin with "-model: ".
func Open[M, Options any](ctx context.Context, name string, out *console.Console, open func(path string, o Options) (M, error)) (M, error) {
	return OpenFlag(ctx, "-model", name, out, open)
}

// OpenFlag is [Open] for a model that another flag names, with which errors begin.
func OpenFlag[M, Options any](ctx context.Context, flag, name string, out *console.Console, open func(path string, o Options) (M, error)) (M, error) {
	var none M
	path := name
	if info, err := os.Stat(name); err != nil || info.IsDir() {
		if path, err = Model(ctx, name, out); err != nil {
			return none, fmt.Errorf("%s: %w", flag, err)
		}
	}
	var zero Options
	m, err := open(path, zero)
	if err != nil {
		return none, fmt.Errorf("%s: %w", flag, err)
	}
	return m, nil
}

// Model returns the folder of the named model. It shows the progress of a download on out.
func Model(ctx context.Context, name string, out *console.Console) (dir string, err error) {
	var progress *console.Progress
	total := int64(-1)
	end := func() {
		if progress != nil {
			progress.End()
		}
	}
	defer func() { end() }()
	return hub.Open(ctx, name, hub.GetOptions{OnProgress: func(p hub.Progress) {
		if p.Total != total { // at the start, and after an index has listed more files
			end()
			progress, total = out.Phase("fetching "+name, console.Bytes, p.Total), p.Total
		}
		progress.At(p.Done, p.File)
	}})
}
