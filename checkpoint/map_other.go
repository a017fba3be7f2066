//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package checkpoint

import "os"

// On these systems files are read. Windows could map them, but it lets no file be replaced or removed while any
// process has it mapped: a model could not be saved to where it came from, which is what most reports of failed
// saves with memory-mapped weights there are about. What is read is used in place all the same, so that
// it costs the file's size once.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errNoMapping }

func unmapErr([]byte) error { return nil }

func dropPages([]byte) {}
