// Package peak measures the peak memory of this process, for tests and measurements:
//
//	before := peak.Memory()
//	load()
//	fmt.Println("bytes added to the peak:", peak.Memory()-before)
package peak

import (
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// Memory returns the peak of resident memory in bytes: VmHWM of /proc/self/status. It is 0 on systems without it.
func Memory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// Racing reports whether the race detector is built in. It takes several times the memory.
func Racing() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
