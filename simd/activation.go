package simd

import (
	"fmt"
	"slices"
	"strings"
)

// Activation selects the function that a layer applies to each element. The zero value is the identity.
// A number that is none of the constants panics wherever it is used.
type Activation uint8

// The activations, in the order of [Activations]. σ is the logistic sigmoid, Φ the distribution function of
// the standard normal.
const (
	ActNone        Activation = iota // x
	ActRelu                          // max(x, 0)
	ActGelu                          // x·Φ(x) by erf (Hendrycks and Gimpel, arXiv 1606.08415)
	ActGeluTanh                      // the tanh approximation of ActGelu, section 2 of the same paper
	ActQuickGelu                     // x·σ(1.702·x), the activation of OpenAI's CLIP
	ActSilu                          // x·σ(x)
	ActSigmoid                       // σ(x)
	ActTanh                          // the hyperbolic tangent
	ActLeakyRelu                     // x, multiplied by 0.01 where it is negative
	ActRelu6                         // x clamped to 0..6
	ActSquaredRelu                   // max(x, 0)²
	ActHardSwish                     // x·min(max(x + 3, 0), 6)/6 (arXiv 1905.02244)
	ActMish                          // x·tanh(log(1 + e^x)) (arXiv 1908.08681)

	activationCount
)

// activations is the only list of activations; all code that depends on the activation reads it. An entry
// that lacks a part, or a name that occurs twice, panics when the program starts.
var activations = [activationCount]activation{
	ActNone: {
		names:   []string{"linear"},
		forward: identity, grad: identityGrad, cost: 1,
	},
	ActRelu: {
		names:   []string{"relu"},
		forward: Relu, grad: ReluGrad, cost: 1,
	},
	ActGelu: {
		names:   []string{"gelu", "gelu_python"},
		forward: Gelu, grad: GeluGrad, cost: 8,
	},
	ActGeluTanh: {
		names:   []string{"gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh"},
		forward: GeluTanh, grad: GeluTanhGrad, cost: 8,
	},
	ActQuickGelu: {
		names:   []string{"quick_gelu"},
		forward: QuickGelu, grad: QuickGeluGrad, cost: 8,
	},
	ActSilu: {
		names:   []string{"silu", "swish"},
		forward: Silu, grad: SiluGrad, cost: 8,
	},
	ActSigmoid: {
		names:   []string{"sigmoid"},
		forward: Sigmoid, grad: SigmoidGrad, cost: 8,
	},
	ActTanh: {
		names:   []string{"tanh"},
		forward: Tanh, grad: TanhGrad, cost: 8,
	},
	ActLeakyRelu: {
		names:   []string{"leaky_relu"},
		forward: func(dst, x []float32) { LeakyRelu(dst, x, leakySlope) },
		grad:    func(dst, x, dy []float32) { LeakyReluGrad(dst, x, dy, leakySlope) },
		cost:    1,
	},
	ActRelu6: {
		names:   []string{"relu6"},
		forward: Relu6, grad: Relu6Grad, cost: 1,
	},
	ActSquaredRelu: {
		names:   []string{"relu2"},
		forward: SquaredRelu, grad: SquaredReluGrad, cost: 1,
	},
	ActHardSwish: {
		names:   []string{"hardswish"},
		forward: HardSwish, grad: HardSwishGrad, cost: 2,
	},
	ActMish: {
		names:   []string{"mish"},
		forward: Mish, grad: MishGrad, cost: 8,
	},
}

// leakySlope is the default slope of PyTorch's LeakyReLU, the function of the name leaky_relu.
const leakySlope = 0.01

// activationNames finds an activation by any of its names.
var activationNames = indexActivations(activations[:])

// An activation is an entry of the table of activations.
type activation struct {
	names   []string // those of transformers' ACT2FN, the canonical one first
	forward func(dst, x []float32)
	grad    func(dst, x, dy []float32)
	cost    int // time of either kernel for an element, in additions
}

// indexActivations maps every name to its entry. It panics unless all entries are complete and all names
// different.
func indexActivations(table []activation) map[string]Activation {
	index := map[string]Activation{}
	for i, e := range table {
		if len(e.names) == 0 || e.forward == nil || e.grad == nil || e.cost < 1 {
			panic(fmt.Sprintf("simd: activation %d (%s) lacks a name, a kernel or its cost", i, strings.Join(e.names, ", ")))
		}
		for _, name := range e.names {
			if other, taken := index[name]; taken || name == "" {
				panic(fmt.Sprintf("simd: the name %q of activation %d belongs to activation %d or is empty", name, i, other))
			}
			index[name] = Activation(i)
		}
	}
	return index
}

// ActivationByName returns the activation with the given name in a Hugging Face config.json (hidden_act, a
// key of transformers' ACT2FN). The error lists the known names.
func ActivationByName(name string) (Activation, error) {
	if a, ok := activationNames[name]; ok {
		return a, nil
	}
	var known []string
	for _, e := range activations {
		known = append(known, e.names...)
	}
	return 0, fmt.Errorf("expected an activation (%s), found %q", strings.Join(known, ", "), name)
}

// Activations returns all activations, in the order of the constants.
func Activations() []Activation {
	all := make([]Activation, activationCount)
	for i := range all {
		all[i] = Activation(i)
	}
	return all
}

// Valid reports whether a is one of the constants.
func (a Activation) Valid() bool { return a < activationCount }

// String returns the canonical name, the first of Names.
func (a Activation) String() string {
	if !a.Valid() {
		return fmt.Sprintf("Activation(%d)", uint8(a))
	}
	return activations[a].names[0]
}

// Names returns every name that [ActivationByName] accepts for a, the canonical one first.
func (a Activation) Names() []string { return slices.Clone(a.entry().names) }

// Apply stores a(x[i]) in dst. It panics if x is shorter than dst. dst may be x.
func (a Activation) Apply(dst, x []float32) { a.entry().forward(dst, x) }

// Grad stores dy[i]·a'(x[i]) in dx; x is the argument of Apply. It panics if x or dy is shorter than dx. dx
// may be x or dy.
func (a Activation) Grad(dx, x, dy []float32) { a.entry().grad(dx, x, dy) }

// Cost returns the approximate time of Apply or Grad for one element, in additions. Callers use it to cut
// work into parts.
func (a Activation) Cost() int { return a.entry().cost }

func (a Activation) entry() *activation {
	if !a.Valid() {
		panic(fmt.Sprintf("simd: unknown activation %d", uint8(a)))
	}
	return &activations[a]
}

func identity(dst, x []float32) {
	atLeast("identity", "x", len(x), len(dst))
	copy(dst, x)
}

func identityGrad(dx, x, dy []float32) {
	atLeast("identity gradient", "x", len(x), len(dx))
	atLeast("identity gradient", "dy", len(dy), len(dx))
	copy(dx, dy)
}
