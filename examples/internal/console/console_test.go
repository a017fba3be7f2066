package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLines counts the lines of a phase of a minute, and of one that ends soon.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := Plain(&out)
		p := c.Phase("training", Steps, 100)
		for i := range 100 {
			time.Sleep(600 * time.Millisecond)
			p.At(int64(i+1), "loss 0.5", "9 a second")
		}
		p.End()
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(got) != 7 || got[0] != "training: step 13 of 100, loss 0.5, 9 a second, 52s left" {
			t.Errorf("found %d lines: %q", len(got), got)
		}
		out.Reset()
		p = c.Phase("short", Bytes, 1000)
		time.Sleep(1900 * time.Millisecond)
		p.At(900)
		p.End()
		if out.Len() > 0 {
			t.Errorf("a short phase wrote %q", &out)
		}
		p = c.Phase("copy", Bytes, 2_500_000)
		time.Sleep(3 * time.Second)
		p.At(1_000_000)
		if want := "copy: 1.0 MB of 2.5 MB, 5s left\n"; out.String() != want && !strings.HasPrefix(out.String(), "copy: 1.0 MB of 2.5 MB, 4") {
			t.Errorf("found %q, expected %q", &out, want)
		}
		out.Reset()
		p = c.Phase("read", Files, 0)
		p.At(1)
		time.Sleep(3 * time.Second)
		p.At(7)
		if want := "read: file 7\n"; out.String() != want {
			t.Errorf("found %q, expected %q", &out, want)
		}
	})
}

// TestBar draws when patience is over, and takes away what was drawn.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, bar bytes.Buffer
		c := &Console{out: &out, bar: &bar}
		p := c.Phase("training", Steps, 100)
		p.At(1)
		if bar.Len() > 0 {
			t.Errorf("drew %q at once", &bar)
		}
		time.Sleep(3 * time.Second)
		p.At(2, "loss 0.5", "more")
		p.At(50, "loss 0.4", "more")
		p.End()
		if s := bar.String(); !strings.Contains(s, "training, loss 0.5") || strings.Contains(s, "more") {
			t.Errorf("drew %q", s)
		}
		if out.Len() > 0 {
			t.Errorf("wrote %q beside the bar", &out)
		}
	})
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 999_949: "999.9 kB", 999_999: "1.0 MB", 346_284_714: "346.3 MB", 5_000_000_000: "5.0 GB", math.MaxInt64: "9.2 EB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: found %q, expected %q", n, got, want)
		}
	}
}

func TestExit(t *testing.T) {
	told, cancel := context.WithCancelCause(context.Background())
	cancel(ErrInterrupted)
	other, stop := context.WithCancel(context.Background())
	stop()
	for _, c := range []struct {
		ctx    context.Context
		err    error
		status int
		text   string
	}{
		{context.Background(), nil, 0, ""},
		{told, nil, 0, ""},
		{context.Background(), errors.New("two\n\tlines\r\n"), 1, "prog: two; lines\n"},
		{told, fmt.Errorf("reading: %w", context.Canceled), 130, "prog: reading: context canceled\n"},
		{told, fmt.Errorf("reading: %w", context.Cause(told)), 130, "prog: reading: interrupted\n"},
		{told, errors.New("disk full"), 1, "prog: disk full\n"},
		{other, context.Canceled, 1, "prog: context canceled\n"},
	} {
		var stderr bytes.Buffer
		if status := Exit(c.ctx, &stderr, "prog", c.err); status != c.status || stderr.String() != c.text {
			t.Errorf("%v: found %d %q, expected %d %q", c.err, status, &stderr, c.status, c.text)
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	nan := float32(math.NaN())
	err := PrintJSON(&b, map[string]any{"a<b": Numbers([]float32{1.0 / 3, nan, float32(math.Inf(1)), 1e-9, 16777216}), "none": Numbers(nil)})
	if want := `{"a<b":[0.33333334,null,null,1e-09,1.6777216e+07],"none":[]}` + "\n"; err != nil || b.String() != want {
		t.Errorf("%v: found %s, expected %s", err, &b, want)
	}
}

// TestOneLine keeps a file's name from steering the terminal.
func TestOneLine(t *testing.T) {
	err := errors.New("a\x1b[2Jb:\r\n  c\u202ed")
	if got, want := OneLine(err), "a\uFFFD[2Jb:; c\uFFFDd"; got != want {
		t.Errorf("found %q, expected %q", got, want)
	}
}
