package simd

import (
	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

func hasI8MM() bool { return cpu.ARM64.HasI8MM }

// hasBF16 reads the kernel's list of features, as package cpu does for the others.
func hasBF16() bool {
	const hwcap2, bf16 = 26, 1 << 14 // AT_HWCAP2, HWCAP2_BF16
	list, err := unix.Auxv()
	if err != nil {
		return false
	}
	for _, entry := range list {
		if entry[0] == hwcap2 {
			return entry[1]&bf16 != 0
		}
	}
	return false
}
