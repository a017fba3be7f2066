package nn

import (
	"fmt"
	"math"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
)

// LowRank is a trained addition of low rank to rows of a weight, LoRA's (Hu et al., arXiv 2106.09685, section 4.1).
// To columns From to From+rows of a [Linear]'s output for x it adds
//
//	s·B·(A·x)    s = Alpha/rank, or Alpha/√rank when Stabilized
//
// before any activation.
type LowRank struct {
	A    *autograd.Parameter // [rank, in]
	B    *autograd.Parameter // [rows, rank]
	From int                 // the first row of the weight that is added to

	Alpha      float64
	Stabilized bool // the scale of rsLoRA (Kalajdzievski, arXiv 2312.03732)

	// Dropout is the probability of dropping an element of x on its way to A, on a training tape.
	Dropout float32
}

// Scale returns the factor of B·A.
func (a *LowRank) Scale() float64 {
	rank := float64(a.A.Shape()[0])
	if a.Stabilized {
		rank = math.Sqrt(rank)
	}
	return a.Alpha / rank
}

// hidden returns s·(A·x), [..., rank].
func (a *LowRank) hidden(x *autograd.Tensor) *autograd.Tensor {
	return autograd.Scale(autograd.Linear(autograd.Dropout(x, a.Dropout), a.A, nil), float32(a.Scale()))
}

// merged is the state of a layer before Merge.
type merged struct {
	adapter []*LowRank
	weight  []float32
	version uint64 // of the merged weight
}

// Merge adds the adapter to the weight, so that the layer gives the same outputs at the cost of a plain one:
//
//	Weight[From+i, j] ← Weight[From+i, j] + s·Σₖ B[i, k]·A[k, j]
//
// computed in float64 and rounded once to float32. Adapter is nil from then on, so that [Parameters] yields the
// parameters of the base model. The layer keeps a copy of the original weight for [Linear.Unmerge]. A weight in half
// precision or of integers becomes float32, and its products with it, and stays so after Unmerge.
//
// A layer without an adapter stays as it is. A layer that is merged and has another adapter panics with an
// autograd.UseError. Nothing may read the layer meanwhile.
func (l *Linear) Merge() {
	if len(l.Adapter) == 0 {
		return
	}
	if l.merged != nil {
		panic(&autograd.UseError{Op: "merge", Reason: "the layer has a merged adapter; unmerge that first"})
	}
	l.checkAdapter()
	kept := append([]float32(nil), l.Weight.Values()...)
	in := l.Weight.Shape()[1]
	l.Weight.Update(func(w []float32) {
		sum := make([]float64, in)
		for _, a := range l.Adapter {
			va, vb, s := a.A.Values(), a.B.Values(), a.Scale()
			rank := a.A.Shape()[0]
			for i := range a.B.Shape()[0] {
				clear(sum)
				for k := range rank {
					b := float64(vb[i*rank+k])
					for j, v := range va[k*in : (k+1)*in] {
						sum[j] += b * float64(v)
					}
				}
				row := w[(a.From+i)*in:][:in]
				for j := range row {
					row[j] = float32(float64(row[j]) + s*sum[j])
				}
			}
		}
	})
	l.merged = &merged{adapter: l.Adapter, weight: kept, version: l.Weight.Version()}
	l.Adapter = nil
}

// Unmerge undoes [Linear.Merge]: it restores the bits of the weight and the adapter beside it. It is an error when the
// layer is not merged, when its weight was written since, or when it has another adapter.
func (l *Linear) Unmerge() error {
	switch {
	case l.merged == nil:
		return fmt.Errorf("nn: unmerge: the layer has no merged adapter")
	case l.Weight.Version() != l.merged.version:
		return fmt.Errorf("nn: unmerge: the weight was changed after merging")
	case len(l.Adapter) > 0:
		return fmt.Errorf("nn: unmerge: the layer has another adapter, added after merging")
	}
	l.Weight.Update(func(w []float32) { copy(w, l.merged.weight) })
	l.Adapter, l.merged = l.merged.adapter, nil
	return nil
}

// Merged reports whether the weight contains an adapter that [Linear.Unmerge] can take out.
func (l *Linear) Merged() bool { return l.merged != nil }

// Unmerged returns the path of the first layer of a model whose outputs depend on an adapter beside its weight, and
// whether there is one. The path of a model that is itself a layer is "". Code that saves, copies or folds weights asks it
// first and refuses such a model.
func Unmerged(model any) (path string, found bool) {
	for path := range Layers[LowRank](model) { // also in layers that a model given by value holds by value
		if at := strings.LastIndex(path, "Adapter."); at >= 0 {
			path = strings.TrimSuffix(path[:at], ".")
		}
		return path, true
	}
	return "", false
}

// checkAdapter panics unless the parts of the adapter fit the weight, in ascending order and without overlap.
func (l *Linear) checkAdapter() {
	shape, end := l.Weight.Shape(), 0
	for _, a := range l.Adapter {
		as, bs := a.A.Shape(), a.B.Shape()
		if len(as) != 2 || len(bs) != 2 || as[0] != bs[1] || as[1] != shape[1] {
			panic(&autograd.ShapeError{Op: "adapter", Shapes: [][]int{shape, as, bs}, Reason: "expected a weight [out, in], A [rank, in] and B [rows, rank]"})
		}
		if a.From < end || a.From+bs[0] > shape[0] {
			panic(&autograd.UseError{Op: "adapter", Reason: fmt.Sprintf("a part covers rows %d to %d of a weight of %d rows; the part before ends at %d", a.From, a.From+bs[0], shape[0], end)})
		}
		end = a.From + bs[0]
	}
}

// addition returns the adapter's part of the output for x, [..., out], plus the residual if there is one.
func (l *Linear) addition(x, residual *autograd.Tensor) *autograd.Tensor {
	l.checkAdapter()
	out := l.Weight.Shape()[0]
	if a := l.Adapter[0]; a.B.Shape()[0] == out {
		if residual != nil {
			return autograd.LinearAdd(a.hidden(x), a.B, nil, residual)
		}
		return autograd.Linear(a.hidden(x), a.B, nil)
	}
	lead := x.Shape()[:len(x.Shape())-1]
	var columns []autograd.Operand
	end := 0
	zeros := func(to int) {
		if to > end {
			columns = append(columns, x.Tape().Full(0, append(append([]int(nil), lead...), to-end)...))
		}
	}
	for _, a := range l.Adapter {
		zeros(a.From)
		columns = append(columns, autograd.Linear(a.hidden(x), a.B, nil))
		end = a.From + a.B.Shape()[0]
	}
	zeros(out)
	sum := autograd.Concat(len(lead), columns...)
	if residual != nil {
		sum = autograd.Add(sum, residual)
	}
	return sum
}
