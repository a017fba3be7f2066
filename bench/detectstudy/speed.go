package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"math"
	"time"

	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/nn"
)

// table prints the average precision of the detectors that Fovea trained, as means over the seeds, and the least time in which
// one finds the objects in a test image.
func table(ctx context.Context, w io.Writer, parts []*part) error {
	fmt.Fprintf(w, "| detector | parameters | test AP, %% | test AP50, %% | ms an image |\n|---|---|---|---|---|\n")
	for _, p := range parts {
		images := make([]image.Image, p.test.Len())
		for i := range images {
			var err error
			if images[i], err = p.test.Open(i); err != nil {
				return err
			}
		}
		var ap, ap50 float64
		var m *detect.Model
		least := math.Inf(1)
		for seed := 1; seed <= p.seeds; seed++ {
			r := run{p, seed}
			of, err := r.model()
			if err != nil {
				return err
			}
			if m, err = detect.Open(r.file()+"-model", detect.LoadOptions{}); err != nil {
				return err
			}
			m.Options, m.Workers = of.Options, of.Workers
			found, err := m.DetectDataset(ctx, p.test)
			if err != nil {
				return err
			}
			figures, err := r.measure(found)
			if err != nil {
				return err
			}
			ap, ap50 = ap+figures.AP/float64(p.seeds), ap50+figures.AP50/float64(p.seeds)
		}
		for range 3 {
			start := time.Now()
			if _, err := m.Detect(ctx, images...); err != nil {
				return err
			}
			least = min(least, time.Since(start).Seconds()*1e3/float64(len(images)))
		}
		fmt.Fprintf(w, "| %s | %.2f M | %.1f | %.1f | %.1f |\n", p.title, float64(nn.Count(m.Network))/1e6, 100*ap, 100*ap50, least)
	}
	fmt.Fprintln(w)
	return nil
}
