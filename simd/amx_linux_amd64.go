package simd

import (
	"syscall"

	"golang.org/x/sys/cpu"
)

// haveAMX reports whether this process may use the tile registers of AMX. Linux gives them to processes that ask; its
// answer counts, whatever the processor says.
func haveAMX() bool {
	const (
		request  = 0x1023 // ARCH_REQ_XCOMP_PERM
		tileData = 18     // XFEATURE_XTILEDATA
	)
	if !cpu.X86.HasAMXTile || !cpu.X86.HasAVX512BF16 {
		return false
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, request, tileData, 0)
	return errno == 0
}
