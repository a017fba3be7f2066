package console

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// TestMathFlag checks what the flag sets and prints, and what a program with -json says.
func TestMathFlag(t *testing.T) {
	for _, c := range []struct {
		args  []string
		model simd.Math
		want  simd.Math
		err   string
	}{
		{nil, simd.Strict, simd.Strict, ""},
		{nil, simd.Int8, simd.Int8, ""},
		{[]string{"-math", "strict"}, simd.Int8, simd.Strict, ""},
		{[]string{"-math", "bf16"}, simd.Strict, simd.BF16, ""},
		{[]string{"-math", "fp4"}, simd.Strict, simd.Strict, `invalid value "fp4" for flag -math: expected a math mode of strict, accurate, bf16, int8, found "fp4"`},
	} {
		var m MathFlag
		f := flag.NewFlagSet("prog", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		f.Var(&m, "math", MathUsage)
		err := f.Parse(c.args)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: found %v, expected %s", c.args, err, c.err)
			}
			continue
		}
		var out bytes.Buffer
		model := c.model
		m.Choose(&model, Plain(&out))
		if err != nil || model != c.want {
			t.Errorf("%q: found %v, %v, expected %v", c.args, model, err, c.want)
		}
		want := ""
		if c.args != nil || model != simd.Strict {
			want = "computes in " + model.String() + " by " + model.Kernel() + "\n"
		}
		if text := out.String(); text != want {
			t.Errorf("%q: printed %q, expected %q", c.args, text, want)
		}
		a := ArithmeticOf(model)
		if (a != nil) != (model != simd.Strict) || a != nil && (a.Mode != model.String() || a.Kernel == "") {
			t.Errorf("%v: found %+v", model, a)
		}
	}
}

// TestTrainingMath checks the flag of programs that train, and how it is kept with a run.
func TestTrainingMath(t *testing.T) {
	for name, m := range map[string]simd.Math{"strict": simd.Strict, "accurate": simd.Accurate, "bf16": simd.BF16, "int8": simd.Int8} {
		var s struct {
			Math simd.Math `json:"math"`
		}
		f := flag.NewFlagSet("prog", flag.ContinueOnError)
		f.TextVar(&s.Math, "math", simd.Strict, TrainingMathUsage)
		if err := f.Parse([]string{"-math", name}); err != nil || s.Math != m {
			t.Errorf("%s: found %v, %v", name, s.Math, err)
		}
		if err := CheckTrainingMath(m); (err != nil) != (m == simd.Int8) {
			t.Errorf("%s: %v", name, err)
		}
		kept, err := json.Marshal(s)
		if want := `{"math":"` + name + `"}`; err != nil || string(kept) != want {
			t.Errorf("%s: kept %s, %v", name, kept, err)
		}
		s.Math = 0
		if err := json.Unmarshal(kept, &s); err != nil || s.Math != m {
			t.Errorf("%s: read %v, %v", name, s.Math, err)
		}
	}
}
