package simd

import "golang.org/x/sys/cpu"

func supportedLevels() []Level {
	l := []Level{Generic}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C {
		l = append(l, AVX2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
			l = append(l, AVX512)
		}
	}
	return l
}
