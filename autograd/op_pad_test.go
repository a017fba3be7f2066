package autograd

import "testing"

func TestPad(t *testing.T) {
	checkOp(t, "ops_pad.safetensors", "", func(c *opCase) []*Tensor {
		v := c.Ints("o")
		var pads [][2]int
		for i := 2; i < len(v); i += 2 {
			pads = append(pads, [2]int{v[i], v[i+1]})
		}
		return []*Tensor{Pad(c.Var("x"), pads, PadOptions{Mode: PadMode(v[0]), Value: float32(v[1]) / 1000})}
	})
}

func TestPadMistakes(t *testing.T) {
	x := NewTape(Options{}).Full(1, 2, 3)
	const most = int(^uint(0) >> 1)
	for name, f := range map[string]func(){
		"a pair too many":        func() { Pad(x, make([][2]int, 3), PadOptions{}) },
		"more than there is":     func() { Pad(x, [][2]int{{-2, -2}}, PadOptions{}) },
		"all and more":           func() { Pad(x, [][2]int{{-4, 5}}, PadOptions{}) },
		"reflection":             func() { Pad(x, [][2]int{{3, 0}}, PadOptions{Mode: PadReflect}) },
		"more than once around":  func() { Pad(x, [][2]int{{0, 4}}, PadOptions{Mode: PadCircular}) },
		"nothing to replicate":   func() { Pad(NewTape(Options{}).Full(1, 2, 0), [][2]int{{1, 0}}, PadOptions{Mode: PadReplicate}) },
		"more than memory holds": func() { Pad(x, [][2]int{{most, most}}, PadOptions{}) },
	} {
		wantShapeError(t, name, f)
	}
	y := Pad(NewTape(Options{}).Full(5), nil, PadOptions{})
	if len(y.Shape()) != 0 || y.Float() != 5 {
		t.Errorf("a scalar gives %v of shape %v", y.data, y.Shape())
	}
}
