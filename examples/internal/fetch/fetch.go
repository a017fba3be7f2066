// Package fetch finds the model that a user names with -model or -init:
//
//	dir, err := fetch.Model(ctx, "google/vit-base-patch16-224", out)
//
// The name is a folder's, or that of a model on the hub. A model on the hub is downloaded to the shared cache.
package fetch

import (
	"context"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/hub"
)

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
