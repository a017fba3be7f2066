// Package peak measures the memory and the threads of this process, for tests and measurements:
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
func Memory() int64 { return status("VmHWM") << 10 }

// Resident returns the resident memory of now in bytes: VmRSS of /proc/self/status. It is 0 on systems without it.
func Resident() int64 { return status("VmRSS") << 10 }

// Threads returns the number of threads of the system that the process has. It is 0 on systems without /proc.
func Threads() int { return int(status("Threads")) }

// status returns a number of /proc/self/status, in the file's unit, or 0.
func status(name string) int64 {
	file, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(file)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// Racing reports whether the race detector is built in. It takes several times the memory.
func Racing() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
