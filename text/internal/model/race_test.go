//go:build race

package model

// The race detector has sync.Pool drop values by chance.
func init() { poolsKeep = false }
