package autograd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

const (
	activationGoldens     = "ops_activation.safetensors"
	activationNameGoldens = "ops_activation_names.safetensors"
)

func TestActivations(t *testing.T) {
	for prefix, f := range map[string]func(Operand) *Tensor{
		"relu/":      Relu,
		"gelu/":      Gelu,
		"gelutanh/":  GeluTanh,
		"quickgelu/": QuickGelu,
		"silu/":      Silu,
		"sigmoid/":   Sigmoid,
		"tanh/":      Tanh,
		"leaky/":     func(x Operand) *Tensor { return LeakyRelu(x, 0.1) },
	} {
		checkOp(t, activationGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"))} })
	}
}

// Every name of an activation is the function that transformers or timm has under it.
func TestActivationNames(t *testing.T) {
	var names []string
	for _, act := range simd.Activations() {
		for _, name := range act.Names() {
			names = append(names, name+"/far", name+"/near")
			checkOp(t, activationNameGoldens, name+"/", func(c *opCase) []*Tensor {
				found, err := ActivationByName(name)
				if err != nil {
					t.Fatal(err)
				}
				return []*Tensor{Activate(c.Var("input"), found)}
			})
		}
	}
	slices.Sort(names)
	if made := caseNames(golden.Load(t, filepath.Join("testdata", activationNameGoldens)), ""); !slices.Equal(made, names) {
		t.Errorf("%s has the cases %q, expected %q", activationNameGoldens, made, names)
	}
}

// activationOps pairs each activation with its operation, without the table of activations.
var activationOps = [...]func(Operand) *Tensor{
	ActNone:      func(x Operand) *Tensor { return x.(*Tensor) },
	ActRelu:      Relu,
	ActGelu:      Gelu,
	ActGeluTanh:  GeluTanh,
	ActQuickGelu: QuickGelu,
	ActSilu:      Silu,
	ActSigmoid:   Sigmoid,
	ActTanh:      Tanh,
	ActLeakyRelu: func(x Operand) *Tensor { return LeakyRelu(x, 0.01) },
	ActRelu6:     Relu6, ActSquaredRelu: SquaredRelu, ActHardSwish: HardSwish, ActMish: Mish,
}

// LinearAct and Activate have the bits of the operation of their activation, forward and backward.
func TestLinearAct(t *testing.T) {
	if len(activationOps) != len(simd.Activations()) {
		t.Fatalf("%d activations, this test knows %d", len(simd.Activations()), len(activationOps))
	}
	const m, in, out = 37, 19, 45
	xv, seed := normals(1, m*in), normals(4, m*out)
	for i := range xv {
		xv[i] *= 3
	}
	w, b := ParameterOf(normals(2, out*in), out, in), ParameterOf(normals(3, out), out)
	for _, act := range simd.Activations() {
		t.Run(act.String(), func(t *testing.T) {
			run := func(build func(x *Tensor) *Tensor) map[string][]float32 {
				tape := NewTape(Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
				x := tape.Input(xv, m, in).WantGradient()
				y := build(x)
				g := NewGradients()
				Backward(g, []*Tensor{y}, [][]float32{seed})
				return map[string][]float32{
					"result": y.Floats(nil), "dx": g.OfTensor(x), "dw": g.Of(w), "db": g.Of(b),
				}
			}
			want := run(func(x *Tensor) *Tensor { return activationOps[act](Linear(x, w, b)) })
			fused := run(func(x *Tensor) *Tensor { return LinearAct(x, w, b, act) })
			apart := run(func(x *Tensor) *Tensor { return Activate(Linear(x, w, b), act) })
			for name := range want {
				sameBits(t, "LinearAct: "+name, fused[name], want[name])
				sameBits(t, "Activate: "+name, apart[name], want[name])
			}
		})
	}
}

// An activation beyond simd's table panics; it is never the identity.
func TestUnknownActivation(t *testing.T) {
	for _, act := range []Activation{Activation(len(simd.Activations())), 255} {
		for name, f := range map[string]func(x *Tensor){
			"activate":   func(x *Tensor) { Activate(x, act) },
			"linear+act": func(x *Tensor) { LinearAct(x, x, nil, act) },
			"feed forward": func(x *Tensor) {
				w := NewParameter(3, 3)
				FeedForward(x, w, nil, act, w, nil, nil, nil)
			},
		} {
			for _, rows := range []int{0, 2} { // an empty Tensor has nothing that the function could be applied to
				func() {
					want := fmt.Sprintf("autograd: %s: unknown activation %d", name, uint8(act))
					defer func() {
						if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
							t.Errorf("panic %q, want %q", got, want)
						}
					}()
					f(NewTape(Options{}).Full(1, rows, 3))
				}()
			}
		}
	}
}

func TestLinear(t *testing.T) {
	checkOp(t, activationGoldens, "linear/", func(c *opCase) []*Tensor {
		return []*Tensor{Linear(c.Var("x"), c.Param("w"), c.Param("b"))}
	})
	checkOp(t, activationGoldens, "linearnobias/", func(c *opCase) []*Tensor {
		return []*Tensor{Linear(c.Var("x"), c.Var("w"), nil)}
	})
	checkOp(t, activationGoldens, "lineargelu/", func(c *opCase) []*Tensor {
		return []*Tensor{LinearAct(c.Var("x"), c.Param("w"), c.Param("b"), ActGelu)}
	})
	checkOp(t, activationGoldens, "linearadd/", func(c *opCase) []*Tensor {
		return []*Tensor{LinearAdd(c.Var("x"), c.Param("w"), c.Var("b"), c.Var("r"))}
	})
	checkOp(t, activationGoldens, "actlinear/", func(c *opCase) []*Tensor {
		return []*Tensor{ActLinear(c.Var("x"), ActGelu, c.Param("w"), c.Param("b"), c.Var("r"))}
	})
}
