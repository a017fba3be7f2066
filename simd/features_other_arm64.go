//go:build !linux && !darwin && !windows

package simd

import "golang.org/x/sys/cpu"

func hasI8MM() bool { return cpu.ARM64.HasI8MM }

func hasBF16() bool { return false }
