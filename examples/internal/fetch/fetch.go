// Package fetch turns what a user names as a model, in -model or -init, into a folder: a folder of that name, or a
// model on the hub, which is fetched while a bar says how far it is.
package fetch

import (
	"context"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/hub"
)

// Model returns the folder of a model.
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
		if p.Total != total { // at first, and when an index has told of more
			end()
			progress, total = out.Phase("fetching "+name, console.Bytes, p.Total), p.Total
		}
		progress.At(p.Done, p.File)
	}})
}
