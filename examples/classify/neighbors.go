package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/vision"
)

// neighbor is an image of the folder of -neighbors.
type neighbor struct {
	name, label string
	similarity  float32 // the cosine of what the model embeds
}

// gallery is the folder of -neighbors, embedded.
type gallery struct {
	names   []string
	labels  []int
	classes []string // "." alone where the folder has no classes
	rows    *probe.Neighbors
}

// voters is the number of neighbors that vote, and temperature weights their votes: those of DINO (arXiv 2104.14294,
// appendix F.1).
const (
	voters      = 20
	temperature = 0.07
)

// openGallery embeds the images of a folder. It has a folder for each class, or images of its own and no classes.
func openGallery(ctx context.Context, m *vit.Model, dir string, out *console.Console, stderr io.Writer) (*gallery, error) {
	loose, err := holdsImages(dir)
	if err != nil {
		return nil, fmt.Errorf("-neighbors: %w", err)
	}
	d, err := vision.OpenDir(dir, vision.FolderOptions{Unlabeled: loose, AllowOneClass: true})
	if err != nil {
		return nil, fmt.Errorf("-neighbors: %w", err)
	}
	g := &gallery{classes: d.Classes()}
	var features []float32
	var embedded [][]float32
	embed := func(ctx context.Context, images []image.Image, results []*result) error {
		rows, err := m.Embed(ctx, images...)
		embedded = append(embedded, rows...)
		return err
	}
	progress := out.Phase("embedding "+dir, console.Files, int64(d.Len()))
	defer progress.End()
	done, broken := 0, 0
	err = eachFile(ctx, m, photo.Paths(dir, d), reader(nil), []step{embed}, func(r *result) error {
		if done++; r.err != nil {
			broken++
			fmt.Fprintf(stderr, "classify: %s\n", console.OneLine(r.err))
		} else {
			g.names, g.labels = append(g.names, r.name), append(g.labels, d.Label(done-1))
			features, embedded = append(features, embedded[0]...), embedded[1:]
		}
		progress.At(int64(done))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(g.names) == 0 {
		return nil, fmt.Errorf("-neighbors: %s: none of %d images can be used", dir, broken)
	}
	g.rows, err = probe.FitNeighbors(features, g.labels, len(g.classes), probe.NeighborsOptions{K: voters, Temperature: temperature, Workers: m.Workers})
	if err != nil {
		return nil, fmt.Errorf("-neighbors: %s: %w", dir, err)
	}
	return g, nil
}

// holdsImages reports whether images lie in a folder itself.
func holdsImages(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(vision.Extensions, strings.ToLower(filepath.Ext(e.Name())))
	}), err
}

// find is the step that fills in the nearest images of the gallery, at most top, and the vote.
func (g *gallery) find(m *vit.Model, top int) step {
	return func(ctx context.Context, images []image.Image, results []*result) error {
		rows, err := m.Embed(ctx, images...)
		if err != nil {
			return err
		}
		queries := slices.Concat(rows...)
		votes := g.rows.Predict(queries)
		for i, nearest := range g.rows.Nearest(queries, top) {
			r := results[i]
			r.near = nil
			for _, n := range nearest {
				r.near = append(r.near, neighbor{g.names[n.Index], g.label(g.labels[n.Index]), n.Similarity})
			}
			r.vote = g.label(votes[i])
		}
		return nil
	}
}

// label returns the name of a class, "" in a folder without classes.
func (g *gallery) label(class int) string {
	if name := g.classes[class]; name != "." {
		return name
	}
	return ""
}
