package hub

import (
	"errors"
	"fmt"
)

// Kinds of error, for errors.Is. What went wrong in particular, and what to do, is in the text of the error.
var (
	ErrNoModel    = errors.New("no such model")                              // or one that is private, which the hub does not tell apart
	ErrNoRevision = errors.New("no such revision")                           // of a model that exists
	ErrNoFile     = errors.New("no such file")                               // of a model and revision that exist; also: no weights in a known format
	ErrGated      = errors.New("access has to be asked for")                 // a model whose owner lets in who asked
	ErrToken      = errors.New("the token was refused")                      // one that is wrong, has ended or lacks a right
	ErrOffline    = errors.New("not in the cache, and the hub is not asked") // HF_HUB_OFFLINE or [Offline]
	ErrCorrupt    = errors.New("damaged on the way")                         // bytes that do not have the size or the hash announced
	ErrNoSpace    = errors.New("not enough space")                           // seen before a download or in it
)

// An Error says which model, and which of its files, a failure is about.
type Error struct {
	Model string // "owner/name" or "owner/name@revision"
	File  string // "" when it is not about one file
	Err   error
}

func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("hub: %s: %v", e.Model, e.Err)
	}
	return fmt.Sprintf("hub: %s: %s: %v", e.Model, e.File, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// about names the model and the file in an error that does not yet.
func about(m model, file string, err error) error {
	if known := (*Error)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Model: m.String(), File: file, Err: err}
}
