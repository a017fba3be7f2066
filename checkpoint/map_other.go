//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package checkpoint

import "os"

// On these systems files are read. Windows could map them, but no file can be replaced or removed there while a process
// has it mapped: a model could not be saved to its own file. Most reports of failed saves with memory-mapped weights
// on Windows are about this. The bytes that are read are used in place, so that they cost the file's size once.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errNoMapping }

func unmapErr([]byte) error { return nil }

func dropPages([]byte) {}
