// Package goroutines finds goroutines that a test leaves behind:
//
//	before := runtime.NumGoroutine()
//	// start and stop something
//	goroutines.Expect(t, before)
package goroutines

import (
	"runtime"
	"testing"
	"time"
)

// Expect waits up to a second for the number of goroutines to come down to want, and fails the test if it does not.
func Expect(t testing.TB, want int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), want)
}
