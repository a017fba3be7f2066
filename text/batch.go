package text

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/fovea-ml/fovea/simd"
)

// EncodeBatch encodes inputs on all processors, and pads them to one length where the options say so. The encodings
// have the order of the inputs. Windows stay in the Overflow of their encoding.
//
// Its errors are those of [Tokenizer.Encode], and name the input by its position; and the error of ctx.
func (t *Tokenizer) EncodeBatch(ctx context.Context, inputs []Input, o Options) ([]*Encoding, error) {
	out := make([]*Encoding, len(inputs))
	errs := make([]error, len(inputs))
	var next atomic.Int64
	var failed atomic.Bool
	workers := simd.NewWorkers(0)
	workers.For(min(workers.Limit(), len(inputs)), func(int) {
		w := t.work()
		defer t.release(w)
		for !failed.Load() && ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(inputs) {
				return
			}
			if out[i], errs[i] = t.encodeWith(w, inputs[i], o); errs[i] != nil {
				failed.Store(true)
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
	}
	if o.Padding != nil {
		if err := pad(out, o.Padding); err != nil {
			return nil, err
		}
	}
	for _, e := range out {
		e.number()
	}
	return out, nil
}
