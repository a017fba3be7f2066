// Package imageset reads the images of a run once before training starts, so that a broken file is found in the first
// seconds and not after the first epoch:
//
//	all, err := imageset.Examine(ctx, folder, 2*size, threads, nil)
//	if err != nil {
//		return err
//	}
//	train(all.Kept)                               // in memory, reduced, where that fits
//	test(all.Readable)                            // from the files
//	sum, err := imageset.Fingerprint(all.Readable) // does not read them again
package imageset

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

// keepBytes bounds the memory for decoded images. A larger data set is decoded again in each epoch.
const keepBytes = 1 << 30

// Images are the images of a data set that can be read.
type Images struct {
	// Readable are the images, which Open reads from their files.
	Readable vision.Dataset
	// Kept are the same images in memory, reduced so that the shorter side has a number of pixels. If they do not fit into
	// memory, it is Readable.
	Kept    vision.Dataset
	Skipped []*data.ItemError // the other images
}

// Examine decodes every image once.
//
// The decoded images are kept in memory, because decoding a photograph of 12 megapixels takes a hundred times as long as
// cropping it. A larger image is first reduced so that its shorter side has side pixels. The caller passes twice the
// model's image size, so that crops stay sharp. threads of 0 uses all cores. progress, if not nil, is told how many were begun.
func Examine(ctx context.Context, d vision.Dataset, side, threads int, progress func(done int)) (*Images, error) {
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
		if progress != nil {
			progress(i + 1)
		}
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}

	out := &Images{}
	var good []int
	for i, err := range errs {
		if err == nil {
			good = append(good, i)
			continue
		}
		out.Skipped = append(out.Skipped, &data.ItemError{Index: i, Name: d.Name(i), Err: err})
	}
	out.Readable = &vision.Subset{Of: &summed{d, sums}, Indices: good}
	if !keep || kept.Load() > keepBytes {
		out.Kept = out.Readable
		return out, nil
	}
	m := &vision.Memory{ClassNames: d.Classes()}
	for _, i := range good {
		m.Images = append(m.Images, images[i])
		m.Labels = append(m.Labels, d.Label(i))
		m.Names = append(m.Names, d.Name(i))
	}
	out.Kept = m
	return out, nil
}

// reduce resizes an image so that its shorter side has the given number of pixels. Smaller images stay as they are.
func reduce(m *vision.Image, side int) (*vision.Image, error) {
	if min(m.Width, m.Height) <= side {
		return m, nil
	}
	h, w := vision.ShortestEdge(m.Height, m.Width, side)
	return vision.Resize(m, h, w, vision.Bicubic)
}

// Labels returns the label of each image.
func Labels(d vision.Dataset) []int {
	labels := make([]int, d.Len())
	for i := range labels {
		labels[i] = d.Label(i)
	}
	return labels
}

// Counts returns the number of images of each class.
func Counts(d vision.Dataset) []int {
	counts := make([]int, len(d.Classes()))
	for i := range d.Len() {
		counts[d.Label(i)]++
	}
	return counts
}
