package simd

import (
	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

func hasI8MM() bool { return cpu.ARM64.HasI8MM }

func hasBF16() bool {
	v, err := unix.SysctlUint32("hw.optional.arm.FEAT_BF16")
	return err == nil && v != 0
}
