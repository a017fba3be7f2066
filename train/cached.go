package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
)

// CachedGradients computes a loss over a batch of which only a chunk fits in memory, such as [nn.ContrastiveLoss], where
// every sample meets every other. It adds the exact gradients of the whole batch to g and returns the loss (GradCache, Gao
// et al., arXiv 2101.06983). It serves as [Config.Gradients]:
//
//	Gradients: func(ctx context.Context, t *autograd.Tape, b *train.Batch, g *autograd.Gradients) (float64, error) {
//		pairs, err := feed.Next(ctx, b)
//		…
//		return train.CachedGradients(t, b.Key, g, chunks, func(chunk int) ([]*autograd.Tensor, error) {
//			images, texts := …                            // of this chunk of the pairs
//			return []*autograd.Tensor{model.EmbedImages(images), model.EmbedTexts(t, texts)}, nil
//		}, func(all []*autograd.Tensor) *autograd.Tensor {
//			return nn.ContrastiveLoss(model.Logits(all[0], all[1]))
//		})
//	},
//
// encode makes the embeddings of a chunk on t: one Tensor or more, each with a row a sample. It is called twice for each
// chunk, and must make the same both times. loss gets the rows of all chunks together, in order, on t. The memory is
// that of one chunk, the embeddings, and what loss needs; the time is that of the whole batch and of one more forward pass.
//
// t records gradients. It is reset on the way, so Tensors made on it before are lost. Its random numbers depend on key and
// on the chunk: dropout differs between chunks, and is the same in both calls. Running statistics of batch normalizations see
// each chunk once, and a chunk is normalized by its own statistics.
//
// Without a finite loss no gradients are computed. An error of encode ends it, with g changed. It panics with an
// autograd.UseError where encode returns another number of Tensors than for the first chunk, and an autograd.ShapeError where
// their rows have another width.
func CachedGradients(t *autograd.Tape, key uint64, g *autograd.Gradients, chunks int,
	encode func(chunk int) ([]*autograd.Tensor, error), loss func(all []*autograd.Tensor) *autograd.Tensor) (float64, error) {
	c := cache{tape: t, key: key}
	defer t.Step(key)
	for i := range chunks {
		if err := c.store(i, encode); err != nil {
			return 0, err
		}
	}
	value := c.loss(g, loss)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return value, nil
	}
	for i := range chunks {
		if err := c.backward(i, g, encode); err != nil {
			return 0, err
		}
	}
	return value, nil
}

// cache holds the embeddings of a batch, and then their gradients.
type cache struct {
	tape *autograd.Tape
	key  uint64
	of   []cachedEmbedding // by the place in encode's result
}

// cachedEmbedding is what encode made of all chunks at one place of its result.
type cachedEmbedding struct {
	values, gradients []float32
	shape             []int // of all chunks together
	starts            []int // of the values of each chunk, with their number at the end
}

// begin sets the random numbers of a chunk. Keys of batches are below 2⁴⁰.
func (c *cache) begin(chunk int) { c.tape.Step(c.key + uint64(chunk+1)<<40) }

// store keeps the embeddings of a chunk.
func (c *cache) store(chunk int, encode func(chunk int) ([]*autograd.Tensor, error)) error {
	c.tape.Reset()
	c.begin(chunk)
	made, err := encode(chunk)
	if err != nil {
		return err
	}
	if chunk == 0 {
		c.of = make([]cachedEmbedding, len(made))
	}
	if len(made) != len(c.of) {
		panic(&autograd.UseError{Op: "cached gradients", Reason: fmt.Sprintf("expected %d embeddings as of the first chunk, found %d", len(c.of), len(made))})
	}
	for i, x := range made {
		e, shape := &c.of[i], x.Shape()
		if chunk == 0 {
			e.shape, e.starts = append([]int{0}, shape[1:]...), []int{0}
		}
		if !slices.Equal(shape[1:], e.shape[1:]) {
			panic(&autograd.ShapeError{Op: "cached gradients", Shapes: [][]int{shape, e.shape}, Reason: "expected rows as in the first chunk"})
		}
		e.shape[0] += shape[0]
		e.values = append(e.values, x.Floats(nil)...)
		e.starts = append(e.starts, len(e.values))
	}
	return nil
}

// loss computes the loss, adds the gradients of its own parameters, and replaces the embeddings by their gradients.
func (c *cache) loss(g *autograd.Gradients, loss func(all []*autograd.Tensor) *autograd.Tensor) float64 {
	c.tape.Reset()
	c.tape.Step(c.key)
	all := make([]*autograd.Tensor, len(c.of))
	for i, e := range c.of {
		all[i] = c.tape.Input(e.values, e.shape...).WantGradient()
	}
	x := loss(all)
	value := float64(x.Float())
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return value
	}
	c.tape.Commit()
	own := autograd.NewGradients()
	x.Backward(own)
	for i := range c.of {
		c.of[i].gradients, c.of[i].values = own.OfTensor(all[i]), nil
	}
	g.Merge(own)
	return value
}

// backward runs a chunk again and adds its gradients.
func (c *cache) backward(chunk int, g *autograd.Gradients, encode func(chunk int) ([]*autograd.Tensor, error)) error {
	c.tape.Reset()
	c.begin(chunk)
	made, err := encode(chunk)
	if err != nil {
		return err
	}
	c.tape.Commit()
	var outputs []*autograd.Tensor
	var seeds [][]float32
	for i, x := range made {
		if e := c.of[i]; e.gradients != nil { // nil where the loss does not depend on it
			outputs = append(outputs, x)
			seeds = append(seeds, e.gradients[e.starts[chunk]:e.starts[chunk+1]])
		}
	}
	autograd.Backward(g, outputs, seeds)
	return nil
}
