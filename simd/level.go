package simd

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Level names an instruction set for which the package has kernels.
type Level int

const (
	// Generic is the portable Go version of every kernel.
	Generic Level = iota
	// AVX2 is amd64 with AVX2, FMA3 and F16C.
	AVX2
	// AVX512 is amd64 with AVX-512 F, BW, DQ and VL.
	AVX512
	// NEON is arm64's Advanced SIMD.
	NEON
)

var levelNames = [...]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512", NEON: "neon"}

// String returns the name FOVEA_SIMD uses.
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return fmt.Sprintf("Level(%d)", int(l))
	}
	return levelNames[l]
}

// level is the instruction set every kernel of this process runs on, and matrixUnit says that AMX multiplies in the
// arithmetics that it has instructions for. They are set once, before main.
var level, matrixUnit, levelNote = chooseLevel(os.Getenv("FOVEA_SIMD"), supportedLevels(), haveAMX)

// Levels lists the instruction sets this machine can run, Generic first, the best last.
func Levels() []Level { return supportedLevels() }

// Current returns the instruction set in use.
func Current() Level { return level }

// Info returns the architecture and the instruction set in use in one line, and what each arithmetic besides Strict runs
// on. The line mentions a FOVEA_SIMD that this machine does not support.
func Info() string {
	s := runtime.GOARCH + " " + level.String()
	for x := Accurate; x.Valid(); x++ {
		s += fmt.Sprintf("; %v: %s", x, x.Kernel())
	}
	if levelNote != "" {
		s += " (" + levelNote + ")"
	}
	return s
}

// chooseLevel returns the level that want names, or else the best supported one, and whether the matrix unit is used:
// haveAMX asks for it. An unknown or unsupported name gives the best level and a note: an environment variable must never
// make a program crash.
func chooseLevel(want string, supported []Level, haveAMX func() bool) (l Level, amx bool, note string) {
	best := supported[len(supported)-1]
	want = strings.ToLower(strings.TrimSpace(want))
	for _, l := range supported {
		if l.String() == want {
			return l, false, ""
		}
	}
	amx = best == AVX512 && haveAMX()
	if want != "" && !(want == "amx" && amx) {
		note = fmt.Sprintf("FOVEA_SIMD=%s is not available", want)
	}
	return best, amx, note
}
