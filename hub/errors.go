package hub

import (
	"errors"
	"fmt"
)

// Kinds of error, for errors.Is. The text of an error says what happened and what to do.
var (
	ErrNoModel    = errors.New("no such model")                  // or a private one: the hub does not say which
	ErrNoRevision = errors.New("no such revision")               // of an existing model
	ErrNoFile     = errors.New("no such file")                   // of an existing model and revision, or no weights in a known format
	ErrGated      = errors.New("access must be requested")       // from the owner of the model
	ErrToken      = errors.New("the token was refused")          // because it is wrong, has expired or lacks a right
	ErrOffline    = errors.New("not in the cache while offline") // HF_HUB_OFFLINE or GetOptions.Offline
	ErrCorrupt    = errors.New("corrupted in transit")           // another size or hash than announced
	ErrNoSpace    = errors.New("not enough space")               // found before or during a download
)

// An Error names the model and the file of a failure.
type Error struct {
	Model string // "owner/name" or "owner/name@revision"
	File  string // "" when the failure is not about one file
	Err   error
}

func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("hub: %s: %v", e.Model, e.Err)
	}
	return fmt.Sprintf("hub: %s: %s: %v", e.Model, e.File, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// about wraps an error in an Error with the model and the file, unless it has one.
func about(m model, file string, err error) error {
	if known := (*Error)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Model: m.String(), File: file, Err: err}
}
