package serve_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log"
	"sync"
	"time"

	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/serve"
	"github.com/fovea-ml/fovea/simd"
)

// The goroutines of a server ask a model that may take two cores.
func Example() {
	model, err := vit.Open("../models/vit/testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	model.Workers = simd.NewWorkers(2)
	batcher := serve.New(func(ctx context.Context, images []image.Image) ([]vit.Prediction, error) {
		return model.Classify(ctx, images...)
	}, serve.Options{})
	defer batcher.Close()

	labels := make([]string, 64)
	var handlers sync.WaitGroup
	for i := range labels {
		handlers.Go(func() {
			prediction, err := batcher.Do(context.Background(), image.NewGray(image.Rect(0, 0, 40, 30+i)))
			if err != nil {
				log.Fatal(err)
			}
			labels[i] = prediction.Top[0].Label
		})
	}
	handlers.Wait()
	fmt.Println(len(labels), "answers, the first", labels[0])
	// Output: 64 answers, the first LABEL_3
}

// A full queue refuses, and a caller's deadline ends its wait.
func ExampleBatcher_Do() {
	slow := serve.New(func(ctx context.Context, batch []string) ([]int, error) {
		<-ctx.Done() // a model that takes too long
		return nil, ctx.Err()
	}, serve.Options{MaxBatch: 1, Queue: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	var callers sync.WaitGroup
	var full, late int
	var mu sync.Mutex
	for range 5 { // one runs, one waits
		callers.Go(func() {
			_, err := slow.Do(ctx, "a photo of a cat")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, serve.ErrFull):
				full++ // 503 Service Unavailable
			case errors.Is(err, context.DeadlineExceeded):
				late++
			}
		})
	}
	callers.Wait()
	fmt.Println(full > 0, full+late)
	// Output: true 5
}
