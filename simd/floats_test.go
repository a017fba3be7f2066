package simd

import "testing"

func TestFloats(t *testing.T) {
	for _, n := range []int{0, 1, 1 << 19, 1<<19 + 1, 5<<19 - 3} {
		s := Floats(n)
		if len(s) != n {
			t.Fatalf("Floats(%d) has %d elements", n, len(s))
		}
		for i, v := range s {
			if v != 0 {
				t.Fatalf("element %d of Floats(%d) is %v", i, n, v)
			}
			s[i] = 1
		}
	}
}
