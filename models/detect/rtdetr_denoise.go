package detect

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// denoising are noisy objects that the decoder of [RTDETR] restores in training: contrastive denoising (Zhang et al., "DINO",
// arXiv 2203.03605, section 3.3; get_contrastive_denoising_training_group in transformers). There are groups, each with two
// queries for every object of the image with the most of them: one with a box near to the object's, and one with a box that is
// further away and is to be no object. Images with fewer objects have queries of no class.
type denoising struct {
	images, groups, objects int   // objects is the largest number in an image
	counts                  []int // of objects in each image
	classes                 []int // of the queries, [images, queries]; the number of classes stands for none
	places                  []float32
	none                    int
	shares                  bool // boxes without noise are no logits, as in transformers
}

// noiseDraws are random numbers from 0 up to 1 for queries, [images, queries] or 4 for each.
type noiseDraws struct {
	keep  []float32 // below the probability, the class changes
	class []float32 // the new class, as a share of the classes
	sign  []float32 // below a half, an edge moves to the left or up
	size  []float32 // how far it moves
}

// drawNoise draws the numbers for the queries of a batch.
func drawNoise(rng *rand.Rand, images, queries int) noiseDraws {
	draw := func(n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = rng.Float32()
		}
		return values
	}
	n := images * queries
	return noiseDraws{draw(n), draw(n), draw(4 * n), draw(4 * n)}
}

// newDenoising returns the number of queries for noisy objects, and the queries without noise, or nil for none.
func newDenoising(c *RTDETRConfig, truth []setTruth, classes int) *denoising {
	d := &denoising{images: len(truth), none: classes, shares: c.BoxNoiseScale <= 0}
	for _, o := range truth {
		d.counts = append(d.counts, len(o.boxes))
		d.objects = max(d.objects, len(o.boxes))
	}
	if c.NumDenoising <= 0 || d.objects == 0 {
		return nil
	}
	d.groups = max(1, c.NumDenoising/d.objects)
	for _, o := range truth {
		for range 2 * d.groups {
			for k := range d.objects {
				if k < len(o.boxes) {
					d.classes, d.places = append(d.classes, o.classes[k]), append(d.places, o.boxes[k][:]...)
				} else {
					d.classes, d.places = append(d.classes, classes), append(d.places, 0, 0, 0, 0)
				}
			}
		}
	}
	return d
}

// maxDenoising bounds the objects of an image: the attention of their queries has a mask of 4·objects² values at least.
const maxDenoising = 1 << 12

// queries is the number of queries of an image.
func (d *denoising) queries() int { return 2 * d.groups * d.objects }

// disturb adds noise to classes and boxes. Boxes are held inside the image.
func (d *denoising) disturb(c *RTDETRConfig, draws noiseDraws) {
	for i, class := range d.classes {
		if class != d.none && draws.keep[i] < c.LabelNoiseRatio*0.5 {
			d.classes[i] = min(int(draws.class[i]*float32(d.none)), d.none-1)
		}
	}
	if d.shares {
		return
	}
	for i := range d.classes {
		box := d.places[4*i:][:4]
		b := fromCenter(box)
		edges := [4]float32{b.X0, b.Y0, b.X1, b.Y1}
		for k := range edges {
			size := draws.size[4*i+k]
			if i/d.objects%2 == 1 { // of no object
				size++
			}
			if draws.sign[4*i+k] < 0.5 {
				size = -size
			}
			half := float32(float32(box[2+k%2]*0.5) * c.BoxNoiseScale)
			edges[k] = min(max(edges[k]+float32(size*half), 0), 1)
		}
		box[0], box[1] = (edges[0]+edges[2])/2, (edges[1]+edges[3])/2
		box[2], box[3] = edges[2]-edges[0], edges[3]-edges[1]
	}
}

// embed returns the queries, [n, queries, width]. The row of no class gets no gradient.
func (d *denoising) embed(table *nn.Embedding, t *autograd.Tape) *autograd.Tensor {
	n, q := d.images, d.queries()
	x := table.Forward(t, d.classes, n, q)
	some := make([]float32, n*q)
	all := true
	for i, class := range d.classes {
		if class != d.none {
			some[i] = 1
		} else {
			all = false
		}
	}
	if all {
		return x
	}
	return autograd.Where(t.Input(some, n, q, 1), x, autograd.Detach(x))
}

// boxes returns the logits of the boxes, [n, queries, 4].
func (d *denoising) boxes(t *autograd.Tape) *autograd.Tensor {
	x := t.Input(d.places, d.images, d.queries(), 4)
	if d.shares {
		return x
	}
	return inverseSigmoid(x)
}

// mask returns what is added to the scores of all queries, the given number of which search for objects: -Inf where a
// query must not see another, [1, 1, q, q]. Groups do not see each other, and the queries that search see none of them.
func (d *denoising) mask(t *autograd.Tape, searching int) *autograd.Tensor {
	noisy := d.queries()
	q, group := noisy+searching, 2*d.objects
	values := make([]float32, q*q)
	for i := range q {
		for j := range noisy {
			if i >= noisy || i/group != j/group {
				values[i*q+j] = float32(math.Inf(-1))
			}
		}
	}
	return t.Input(values, 1, 1, q, q)
}

// pairs returns the pairs of queries and objects among the given number of queries of an image.
func (d *denoising) pairs(truth []setTruth, queries int) setPairs {
	var p setPairs
	for i, o := range truth {
		for g := range d.groups {
			query := make([]int, len(o.boxes))
			for k := range query {
				query[k] = g*2*d.objects + k
			}
			p.add(i, queries, o, query)
		}
	}
	return p
}
