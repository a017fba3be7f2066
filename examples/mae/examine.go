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

// keepBytes bounds the memory in which pictures are kept between epochs. Beyond it they are decoded anew each
// time they are needed.
const keepBytes = 1 << 30

// examine decodes every picture once before training starts, so that a broken file shows in the first seconds
// and not after the first epoch. With skip the broken ones are left out; otherwise the first of them is the
// error.
//
// The shorter side of a picture is reduced to side pixels where it is longer, and the result is kept: it is
// still twice what the model sees, and a photograph of 12 megapixels takes a hundred times longer to decode
// than to crop.
func examine(ctx context.Context, d vision.Dataset, side, threads int, skip bool) (vision.Dataset, []*data.ItemError, error) {
	keep := float64(d.Len())*float64(side)*float64(side)*3*1.5 <= keepBytes
	images := make([]*vision.Image, d.Len())
	errs := make([]error, d.Len())
	var kept atomic.Int64 // bytes: pictures that are long and narrow take more than expected
	decode := func(i int) {
		m, err := d.Open(i)
		if err == nil && keep {
			m, err = reduce(m, side)
			if err == nil && kept.Add(int64(len(m.Pix))) <= keepBytes {
				images[i] = m
			}
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
		err := fmt.Errorf("%w (-skip-broken leaves such files out)", bad[0])
		if len(bad) > 1 {
			err = fmt.Errorf("%w (and %d more; -skip-broken leaves such files out)", bad[0], len(bad)-1)
		}
		return nil, nil, err
	}
	if !keep || kept.Load() > keepBytes {
		return &vision.Subset{Of: d, Indices: good}, bad, nil
	}
	m := &vision.Memory{ClassNames: d.Classes()}
	for _, i := range good {
		m.Images = append(m.Images, images[i])
		m.Labels = append(m.Labels, d.Label(i))
		m.Names = append(m.Names, d.Name(i))
	}
	return m, bad, nil
}

// reduce shrinks a picture until its shorter side has the given number of pixels.
func reduce(m *vision.Image, side int) (*vision.Image, error) {
	if min(m.Width, m.Height) <= side {
		return m, nil
	}
	w, h := vision.ShortestEdge(m.Width, m.Height, side)
	return vision.Resize(m, w, h, vision.Bicubic)
}
