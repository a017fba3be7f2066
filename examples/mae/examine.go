package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

// keepBytes bounds the memory for decoded images. A larger data set is decoded again in each epoch.
const keepBytes = 1 << 30

// examine decodes every image once before training starts. A broken file is thus found in the first seconds, not after
// the first epoch. With skip, broken files are left out; otherwise the first one is the error.
//
// The decoded images are kept in memory, because decoding a photograph of 12 megapixels takes a hundred times as long as
// cropping it. A larger image is first reduced so that its shorter side has side pixels. The caller passes twice the
// model's image size, so that crops stay sharp.
func examine(ctx context.Context, d vision.Dataset, side, threads int, skip bool) (vision.Dataset, []*data.ItemError, error) {
	keep := float64(d.Len())*float64(side)*float64(side)*3*1.5 <= keepBytes
	images := make([]*vision.Image, d.Len())
	errs := make([]error, d.Len())
	sums := make([]uint32, d.Len())
	var kept atomic.Int64 // bytes; long and narrow images take more than the estimate above
	decode := func(i int) {
		m, err := d.Open(i)
		if err == nil && keep {
			m, err = reduce(m, side)
			if err == nil && kept.Add(int64(len(m.Pix))) <= keepBytes {
				images[i] = m
			}
		}
		if err == nil {
			sums[i] = sumPixels(m)
		}
		errs[i] = err
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range threads {
		wg.Go(func() {
			for i := range next {
				decode(i)
			}
		})
	}
	for i := range d.Len() {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}

	var good []int
	var bad []*data.ItemError
	for i, err := range errs {
		if err == nil {
			good = append(good, i)
			continue
		}
		bad = append(bad, &data.ItemError{Index: i, Name: d.Name(i), Err: err})
	}
	if len(bad) > 0 && !skip {
		err := fmt.Errorf("%w (use -skip-broken to skip such files)", bad[0])
		if len(bad) > 1 {
			err = fmt.Errorf("%w (and %d more; use -skip-broken to skip such files)", bad[0], len(bad)-1)
		}
		return nil, nil, err
	}
	if !keep || kept.Load() > keepBytes {
		return &vision.Subset{Of: &summed{d, sums}, Indices: good}, bad, nil
	}
	m := &vision.Memory{ClassNames: d.Classes()}
	for _, i := range good {
		m.Images = append(m.Images, images[i])
		m.Labels = append(m.Labels, d.Label(i))
		m.Names = append(m.Names, d.Name(i))
	}
	return m, bad, nil
}

// reduce resizes an image so that its shorter side has the given number of pixels. Smaller images stay as they are.
func reduce(m *vision.Image, side int) (*vision.Image, error) {
	if min(m.Width, m.Height) <= side {
		return m, nil
	}
	h, w := vision.ShortestEdge(m.Height, m.Width, side)
	return vision.Resize(m, h, w, vision.Bicubic)
}
