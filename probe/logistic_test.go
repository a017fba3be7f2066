package probe

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestSklearn compares weights, biases, objective and predictions with scikit-learn's.
func TestSklearn(t *testing.T) {
	g := golden.Load(t, "testdata/logistic.safetensors")
	cases := 0
	for _, key := range g.Names() {
		name, ok := strings.CutSuffix(key, "/features")
		if !ok {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			o := LogisticOptions{C: number(t, g, name+"/c"), Standardize: g.Metadata(name+"/standardize") == "true", Tolerance: 1e-6}
			if g.Has(name + "/weights") {
				o.Weights = g.Floats(name + "/weights")
			}
			x, shape := g.Tensor(name + "/features")
			var l *Logistic
			var labels []int
			var targets []float32
			var err error
			if g.Has(name + "/labels") {
				labels = g.Ints(name + "/labels")
				l, err = FitLogistic(t.Context(), x, labels, slices.Max(labels)+1, o)
			} else {
				targets = g.Floats(name + "/targets")
				l, err = FitLogisticSoft(t.Context(), x, targets, g.Shape(name + "/targets")[1], o)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !l.Converged || l.Iterations < 1 {
				t.Errorf("%d iterations, converged %v", l.Iterations, l.Converged)
			}

			d := shape[1]
			var weight, bias []float32
			for class, b := range l.Bias {
				row := l.Weight[class*d : (class+1)*d]
				if math.IsInf(float64(b), -1) {
					if slices.Contains(labels, class) || slices.ContainsFunc(row, func(w float32) bool { return w != 0 }) {
						t.Errorf("class %d has bias %v and weights %v", class, b, row)
					}
					continue
				}
				weight, bias = append(weight, row...), append(bias, b)
			}
			close1e3(t, "weight", weight, g.Floats(name+"/weight"))
			close1e3(t, "bias", bias, g.Floats(name+"/bias"))
			if got, want := l.Predict(x), g.Ints(name+"/predicted"); !slices.Equal(got, want) {
				t.Errorf("predicted %d, expected %d", got, want)
			}
			got, want := objective(t, l, x, labels, targets, o), number(t, g, name+"/objective")
			if !(math.Abs(got-want) <= 1e-6*want) {
				t.Errorf("objective %v, expected %v", got, want)
			}
		})
	}
	if cases < 10 {
		t.Errorf("%d cases", cases)
	}
}

func number(t *testing.T, g *golden.File, key string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(g.Metadata(key), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// close1e3 bounds the distance of two vectors by a thousandth of the second's length.
func close1e3(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, expected %d", what, len(got), len(want))
	}
	var difference, length float64
	for i, w := range want {
		difference += math.Pow(float64(got[i]-w), 2)
		length += math.Pow(float64(w), 2)
	}
	if relative := math.Sqrt(difference / length); !(relative <= 1e-3) {
		t.Errorf("%s is off by %v of its length", what, relative)
	}
}

// objective is C times the sum of the losses plus half the sum of the squared weights, of the standardized features if they
// are, computed plainly.
func objective(t *testing.T, l *Logistic, x []float32, labels []int, targets []float32, o LogisticOptions) float64 {
	t.Helper()
	classes := len(l.Bias)
	d := len(l.Weight) / classes
	n := len(x) / d
	sum := 0.0
	for i := range n {
		z := make([]float64, classes)
		total := 0.0
		for c := range z {
			z[c] = float64(l.Bias[c])
			for j := range d {
				z[c] += float64(l.Weight[c*d+j]) * float64(x[i*d+j])
			}
			total += math.Exp(z[c])
		}
		weight := 1.0
		if o.Weights != nil {
			weight = float64(o.Weights[i])
		}
		for c := range z {
			target := 0.0
			if targets != nil {
				target = float64(targets[i*classes+c])
			} else if labels[i] == c {
				target = 1
			}
			if target > 0 {
				sum += weight * target * (math.Log(total) - z[c])
			}
		}
	}
	squares, present := 0.0, 0
	for c, b := range l.Bias {
		if !math.IsInf(float64(b), -1) {
			present++
		}
		for j := range d {
			w := float64(l.Weight[c*d+j])
			if o.Standardize {
				var mean, variance float64
				for i := range n {
					mean += float64(x[i*d+j]) / float64(n)
				}
				for i := range n {
					variance += math.Pow(float64(x[i*d+j])-mean, 2) / float64(n)
				}
				w *= math.Sqrt(variance)
			}
			squares += w * w
		}
	}
	if present == 2 {
		squares *= 2
	}
	return o.C*sum + squares/2
}

// TestSoftLabels gives labels as targets of 0 and 1. The bits are the same.
func TestSoftLabels(t *testing.T) {
	g := golden.Load(t, "testdata/logistic.safetensors")
	x, labels := g.Floats("absent classes/features"), g.Ints("absent classes/labels")
	const classes = 7
	targets := make([]float32, len(labels)*classes)
	for i, label := range labels {
		targets[i*classes+label] = 1
	}
	hard, err := FitLogistic(t.Context(), x, labels, classes, LogisticOptions{})
	if err != nil {
		t.Fatal(err)
	}
	soft, err := FitLogisticSoft(t.Context(), x, targets, classes, LogisticOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(soft.Weight, hard.Weight) || !slices.Equal(soft.Bias, hard.Bias) {
		t.Error("weights differ")
	}
}

// TestWeightZero leaves samples out by a weight of 0, also the only ones of a class.
func TestWeightZero(t *testing.T) {
	g := golden.Load(t, "testdata/logistic.safetensors")
	x, labels := g.Floats("plain/features"), g.Ints("plain/labels")
	n, d := len(labels), len(x)/len(labels)
	weights := make([]float32, n)
	var fewer []float32
	var kept []int
	for i, label := range labels {
		if label != 3 && i%5 != 0 {
			weights[i] = 2
			fewer, kept = append(fewer, x[i*d:(i+1)*d]...), append(kept, label)
		}
	}
	for _, standardize := range []bool{false, true} {
		a, err := FitLogistic(t.Context(), x, labels, 4, LogisticOptions{C: 0.5, Weights: weights, Standardize: standardize, Tolerance: 1e-7})
		if err != nil {
			t.Fatal(err)
		}
		b, err := FitLogistic(t.Context(), fewer, kept, 4, LogisticOptions{C: 1, Standardize: standardize, Tolerance: 1e-7})
		if err != nil {
			t.Fatal(err)
		}
		close1e3(t, "weight", a.Weight, b.Weight)
		close1e3(t, "bias", a.Bias[:3], b.Bias[:3])
		if !math.IsInf(float64(a.Bias[3]), -1) || slices.Contains(a.Predict(x), 3) {
			t.Errorf("class 3 has the bias %v", a.Bias[3])
		}
	}
}

// TestExtremes fits features that are far apart, far from zero, constant or repeated.
func TestExtremes(t *testing.T) {
	const n = 24
	labels := make([]int, n)
	base := make([]float32, n)
	for i := range labels {
		labels[i] = i % 3
		base[i] = float32(i%3) + float32(i%7)*0.05
	}
	for name, f := range map[string]func(v float32) float32{
		"large":    func(v float32) float32 { return v * 1e15 },
		"small":    func(v float32) float32 { return v * 1e-15 },
		"shifted":  func(v float32) float32 { return v + 1000 },
		"constant": func(float32) float32 { return 0.1 },
	} {
		t.Run(name, func(t *testing.T) {
			x := make([]float32, 0, 2*n)
			for _, v := range base {
				x = append(x, f(v), 7) // and a constant
			}
			l, err := FitLogistic(t.Context(), x, labels, 3, LogisticOptions{Standardize: true})
			if err != nil {
				t.Fatal(err)
			}
			right := 0
			for i, class := range l.Predict(x) {
				if class == labels[i] {
					right++
				}
			}
			for class := range 3 {
				if w := l.Weight[2*class+1]; w != 0 {
					t.Errorf("the constant feature has weight %v", w)
				}
			}
			if want := map[bool]int{false: n, true: n / 3}[name == "constant"]; right != want || !l.Converged {
				t.Errorf("%d of %d right, converged %v", right, n, l.Converged)
			}
		})
	}
	// Features of other scales without Standardize, and no penalty on classes that a plane separates.
	for _, o := range []LogisticOptions{{C: 1e-30}, {C: 1e30}, {C: math.Inf(1)}} {
		x := make([]float32, 0, 2*n)
		for _, v := range base {
			x = append(x, v*1e4, v)
		}
		l, err := FitLogistic(t.Context(), x, labels, 3, o)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(l.Logits(x), func(z float32) bool { return z != z }) {
			t.Errorf("C of %v gives NaN", o.C)
		}
	}
}

// TestLogisticBits checks that neither workers nor other samples of a call change a bit.
func TestLogisticBits(t *testing.T) {
	const n, d, classes = 203, 131, 5
	x, labels := make([]float32, n*d), make([]int, n)
	state := uint32(1)
	for i := range x {
		state = state*1664525 + 1013904223
		x[i] = float32(state>>8) / (1 << 24)
	}
	for i := range labels {
		labels[i] = int(x[i*d] * classes)
	}
	fit := func(w *simd.Workers) *Logistic {
		l, err := FitLogistic(t.Context(), x, labels, classes, LogisticOptions{Workers: w})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	serial := fit(nil)
	for _, workers := range []int{2, 7} {
		l := fit(simd.NewWorkers(workers))
		if !slices.Equal(l.Weight, serial.Weight) || !slices.Equal(l.Bias, serial.Bias) || l.Iterations != serial.Iterations {
			t.Errorf("%d workers give other bits", workers)
		}
		all := l.Logits(x)
		for _, i := range []int{0, 1, 100, n - 1} {
			if one := serial.Logits(x[i*d : (i+1)*d]); !slices.Equal(one, all[i*classes:(i+1)*classes]) {
				t.Errorf("sample %d alone has the logits %v, expected %v", i, one, all[i*classes:(i+1)*classes])
			}
		}
	}
	// The digest of the weights, the same on every architecture and instruction set.
	digest := uint64(14695981039346656037)
	for _, w := range slices.Concat(serial.Weight, serial.Bias) {
		digest = (digest ^ uint64(math.Float32bits(w))) * 1099511628211
	}
	if want := uint64(0xe013e20e6e2a7653); digest != want {
		t.Errorf("the weights' digest is %#x, expected %#x", digest, want)
	}
}

func TestLogisticEmpty(t *testing.T) {
	l, err := FitLogistic(t.Context(), []float32{1, 2}, []int{0, 1}, 2, LogisticOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if z, p := l.Logits(nil), l.Predict(nil); len(z) != 0 || len(p) != 0 {
		t.Errorf("no samples give %v and %v", z, p)
	}
}

func TestLogisticErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	x := []float32{1, 2, 3, 4, 5, 6}
	labels := []int{0, 1, 1}
	for _, c := range []struct {
		want string
		fit  func() (*Logistic, error)
	}{
		{"no samples", func() (*Logistic, error) { return FitLogistic(t.Context(), nil, nil, 2, LogisticOptions{}) }},
		{"no samples", func() (*Logistic, error) { return FitLogisticSoft(t.Context(), nil, nil, 2, LogisticOptions{}) }},
		{"features of 3 samples, found 5 values", func() (*Logistic, error) { return FitLogistic(t.Context(), x[:5], labels, 2, LogisticOptions{}) }},
		{"features of 3 samples, found 0 values", func() (*Logistic, error) { return FitLogistic(t.Context(), nil, labels, 2, LogisticOptions{}) }},
		{"found NaN in feature 1 of sample 2", func() (*Logistic, error) {
			return FitLogistic(t.Context(), []float32{1, 2, 3, 4, 5, nan}, labels, 2, LogisticOptions{})
		}},
		{"found -Inf in feature 0 of sample 0", func() (*Logistic, error) {
			return FitLogistic(t.Context(), []float32{-inf, 2, 3}, labels, 2, LogisticOptions{})
		}},
		{"label of sample 2 in 0 to 1, found 2", func() (*Logistic, error) { return FitLogistic(t.Context(), x, []int{0, 1, 2}, 2, LogisticOptions{}) }},
		{"label of sample 0 in 0 to 1, found -1", func() (*Logistic, error) { return FitLogistic(t.Context(), x, []int{-1, 1, 0}, 2, LogisticOptions{}) }},
		{"at least 2 classes, found those of 1", func() (*Logistic, error) { return FitLogistic(t.Context(), x, []int{1, 1, 1}, 2, LogisticOptions{}) }},
		{"at least 2 classes, found 1", func() (*Logistic, error) { return FitLogistic(t.Context(), x, []int{0, 0, 0}, 1, LogisticOptions{}) }},
		{"at least 2 classes, found those of 1", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{Weights: []float32{0, 1, 1}})
		}},
		{"3 weights, one for each sample, found 2", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{Weights: []float32{1, 1}})
		}},
		{"weight of sample 1 to be finite and at least 0, found -1", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{Weights: []float32{1, -1, 1}})
		}},
		{"weight of sample 2 to be finite and at least 0, found NaN", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{Weights: []float32{1, 1, nan}})
		}},
		{"weights of all samples are 0", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{Weights: make([]float32, 3)})
		}},
		{"2 targets for each sample, found 3 values", func() (*Logistic, error) {
			return FitLogisticSoft(t.Context(), x, []float32{1, 0, 1}, 2, LogisticOptions{})
		}},
		{"target of class 1 for sample 1 to be finite and at least 0, found -1", func() (*Logistic, error) {
			return FitLogisticSoft(t.Context(), x[:2], []float32{1, 0, 1, -1}, 2, LogisticOptions{})
		}},
		{"C above 0, found -1", func() (*Logistic, error) { return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{C: -1}) }},
		{"C above 0, found NaN", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{C: math.NaN()})
		}},
		{"MaxIterations of at least 0, found -1", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{MaxIterations: -1})
		}},
		{"Tolerance above 0, found -1", func() (*Logistic, error) {
			return FitLogistic(t.Context(), x, labels, 2, LogisticOptions{Tolerance: -1})
		}},
		{"context canceled", func() (*Logistic, error) { return FitLogistic(canceled, x, labels, 2, LogisticOptions{}) }},
	} {
		l, err := c.fit()
		if err == nil || l != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("found the error %v, expected %q", err, c.want)
		}
	}
	if _, err := FitLogistic(canceled, x, labels, 2, LogisticOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v, expected context.Canceled", err)
	}
	short, err := FitLogistic(t.Context(), x, labels, 2, LogisticOptions{MaxIterations: 1})
	if err != nil || short.Converged || short.Iterations != 1 {
		t.Errorf("one iteration gives %+v, %v", short, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("queries of another width did not panic")
		}
	}()
	short.Predict(x[:3])
}

// The scale of the features does not decide whether a fit ends where it began.
func TestLogisticOfLargeFeatures(t *testing.T) {
	for _, scale := range []float32{1, 1e6, 1e12, 1e18, 1e30} {
		x := []float32{-scale, -scale / 2, scale / 2, scale}
		l, err := FitLogistic(context.Background(), x, []int{0, 0, 1, 1}, 2, LogisticOptions{})
		if err != nil || !slices.Equal(l.Predict(x), []int{0, 0, 1, 1}) {
			t.Errorf("scale %v: %+v, %v", scale, l, err)
		}
	}
}
