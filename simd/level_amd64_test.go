package simd

import (
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// A hypervisor may hide any one of the features that a level uses.
func TestLevelsNeedEveryFeature(t *testing.T) {
	x := &cpu.X86
	for _, c := range []struct {
		name    string
		feature *bool
		least   Level // that needs it
	}{
		{"AVX2", &x.HasAVX2, AVX2}, {"FMA", &x.HasFMA, AVX2}, {"F16C", &x.HasF16C, AVX2},
		{"AVX512F", &x.HasAVX512F, AVX512}, {"AVX512BW", &x.HasAVX512BW, AVX512},
		{"AVX512DQ", &x.HasAVX512DQ, AVX512}, {"AVX512VL", &x.HasAVX512VL, AVX512},
	} {
		was := *c.feature
		*c.feature = false
		if l := supportedLevels(); slices.Max(l) >= c.least {
			t.Errorf("without %s the levels are %v", c.name, l)
		}
		*c.feature = was
	}
}
