package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/fovea-ml/fovea/internal/filelock"
)

// lock waits until no other process, in Go or in Python, fetches the blob of that hash for this model. A file system may
// have no locks. The cache stays whole there too, because every file is written beside its place, checked and renamed.
// Only a download may happen twice.
func (s *store) lock(ctx context.Context, etag string) (unlock func(), err error) {
	name := filepath.Join(s.locks, etag+".lock")
	if err := os.MkdirAll(s.locks, 0o777); err != nil {
		return nil, err
	}
	wait := 10 * time.Millisecond
	for {
		f, err := filelock.Open(name)
		if err != nil {
			return nil, err
		}
		locked, err := s.tryLock(f)
		if locked || errors.Is(err, filelock.ErrNoLocks) {
			return func() { f.Close() }, nil // the file stays: a lock on a removed file would exclude nobody
		}
		f.Close()
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
			wait = min(2*wait, 250*time.Millisecond)
		}
	}
}
