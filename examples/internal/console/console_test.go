package console

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestLines counts the lines of a phase that takes a minute and of a short phase.
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

// TestBar checks that the bar appears only after some time.
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

// TestRun checks the exit status and the error line after each way a program can end.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		args      []string
		status    int
		text, out string
	}{
		{[]string{"-n", "1"}, 0, "", ""},
		{[]string{"-n", "2"}, 1, "prog: two is too many\n", ""},
		{[]string{"-threads", "5000"}, 1, "prog: -threads: expected 0 to 4096, found 5000\n", ""},
		{[]string{"-x"}, 1, "prog: flag provided but not defined: -x; -h lists the flags\n", ""},
		{[]string{"-h"}, 0, "", "About prog.\n\n  -n int\n    \ta number\n  -threads int\n    \tcores\n"},
	} {
		var stdout, stderr bytes.Buffer
		status := Run("prog", c.args, &stdout, &stderr, func(args []string, stdout io.Writer) (n int, err error) {
			f := flag.NewFlagSet("prog", flag.ContinueOnError)
			f.IntVar(&n, "n", 0, "a number")
			threads := f.Int("threads", 0, "cores")
			if err := ParseFlags(f, args, stdout, "About prog."); err != nil {
				return 0, err
			}
			return n, CheckThreads(*threads)
		}, func(ctx context.Context, n int, stdout, stderr io.Writer) error {
			if n > 1 {
				return errors.New("two is too many")
			}
			return ctx.Err()
		})
		if status != c.status || stderr.String() != c.text || stdout.String() != c.out {
			t.Errorf("%q: found %d %q %q, expected %d %q %q", c.args, status, &stderr, &stdout, c.status, c.text, c.out)
		}
	}
}

// TestExecute checks where lines and JSON go, and that only an interrupted run that can be continued says how.
func TestExecute(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(context.Background())
	cancel(ErrInterrupted)
	for _, c := range []struct {
		ctx             context.Context
		json            bool
		resume          string
		err             error
		out, lines, end string
	}{
		{context.Background(), false, "", nil, "line\n", "", ""},
		{context.Background(), true, "again", nil, "[1]\n", "line\n", ""},
		{interrupted, false, "again", nil, "line\n", "", ""},
		{interrupted, true, "again", context.Canceled, "", "line\n", "context canceled; again"},
		{interrupted, false, "", ErrInterrupted, "line\n", "", "interrupted"},
		{interrupted, false, "again", errors.New("disk full"), "line\n", "", "disk full"},
	} {
		var stdout, stderr bytes.Buffer
		err := Execute(c.ctx, c.json, &stdout, &stderr, func(con *Console) (any, error) {
			con.Line("line")
			con.Resume("%s", c.resume)
			return []int{1}, c.err
		})
		end := ""
		if err != nil {
			end = err.Error()
		}
		if stdout.String() != c.out || stderr.String() != c.lines || end != c.end || !errors.Is(err, c.err) {
			t.Errorf("%+v: found %q, %q and %q", c, &stdout, &stderr, end)
		}
	}
}

func TestExit(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(context.Background())
	cancel(ErrInterrupted)
	canceled, stop := context.WithCancel(context.Background())
	stop()
	for _, c := range []struct {
		ctx    context.Context
		err    error
		status int
		text   string
	}{
		{context.Background(), nil, 0, ""},
		{interrupted, nil, 0, ""},
		{context.Background(), errors.New("two\n\tlines\r\n"), 1, "prog: two; lines\n"},
		{interrupted, fmt.Errorf("reading: %w", context.Canceled), 130, "prog: reading: interrupted\n"},
		{interrupted, context.Canceled, 130, "prog: interrupted\n"},
		{interrupted, fmt.Errorf("reading: %w", context.Cause(interrupted)), 130, "prog: reading: interrupted\n"},
		{interrupted, errors.New("disk full"), 1, "prog: disk full\n"},
		{canceled, context.Canceled, 1, "prog: context canceled\n"},
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
	err := PrintJSON(&b, map[string]any{"a<b": Numbers([]float32{1.0 / 3, nan, float32(math.Inf(1)), 1e-9, 16777216}), "none": Numbers[float32](nil)})
	if want := `{"a<b":[0.33333334,null,null,1e-09,1.6777216e+07],"none":[]}` + "\n"; err != nil || b.String() != want {
		t.Errorf("%v: found %s, expected %s", err, &b, want)
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{Double(1e300), `1e+300`}, {Double(float32(0.1)), `0.1`}, {Double(0.1), `0.1`}, {Double(1.0 / 3), `0.3333333333333333`},
		{Double(math.Inf(1)), `null`}, {Double(math.NaN()), `null`},
		{"ä €😀 <\u009b\u202e\x7f\n>\U000e0001", `"ä €😀 <\u009b\u202e\u007f\n>\udb40\udc01"`},
		{map[string]int{"\u202e": 1}, `{"\u202e":1}`},
		// Python 3.13: json.dumps(os.fsdecode(b"...")), but for the printable characters that are not ASCII.
		{Name("a\xff\xc3\"\\ä\xed\xa0\x80\u009b\x00<"), `"a\udcff\udcc3\"\\ä\udced\udca0\udc80\u009b\u0000<"`},
		{Name("\ufffd"), "\"\ufffd\""},
	} {
		b.Reset()
		if err := PrintJSON(&b, c.v); err != nil || b.String() != c.want+"\n" {
			t.Errorf("%v: found %s, expected %s", err, &b, c.want)
		}
	}
	if err := PrintJSON(full{}, 1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestFullOutput expects status 1 when standard output cannot be written.
func TestFullOutput(t *testing.T) {
	for _, arg := range []string{"-h", "lines", "fails"} {
		var stderr bytes.Buffer
		status := Run("prog", []string{arg}, full{}, &stderr, func(args []string, stdout io.Writer) (string, error) {
			return arg, ParseFlags(flag.NewFlagSet("prog", flag.ContinueOnError), args, stdout, "About prog.")
		}, func(_ context.Context, arg string, stdout, _ io.Writer) error {
			New(stdout).Line("a line")
			if arg == "fails" {
				return errors.New("another error")
			}
			return nil
		})
		want := "prog: standard output: no space left on device\n"
		if arg == "fails" {
			want = "prog: another error\n"
		}
		if status != 1 || stderr.String() != want {
			t.Errorf("%s: found %d %q, expected 1 %q", arg, status, &stderr, want)
		}
	}
}

// TestNarrow draws a bar on a narrow terminal, whose lines must not wrap.
func TestNarrow(t *testing.T) {
	for _, width := range []int{1, 20, 51, 200} {
		synctest.Test(t, func(t *testing.T) {
			var bar bytes.Buffer
			c := &Console{out: io.Discard, bar: &bar, width: func() int { return width }}
			p := c.Phase("fetching 模型/vit", Bytes, 1e9)
			for i := range 20 {
				time.Sleep(time.Second)
				p.At(int64(i)*4e7, "pytorch_model-00001-of-00002.bin")
			}
			p.End()
			longest := 0
			for _, line := range strings.FieldsFunc(bar.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
				n := 0
				for _, r := range line {
					n += columns(r)
				}
				longest = max(longest, n)
			}
			if longest >= width || width > 20 && longest < 50 {
				t.Errorf("%d columns: a line has %d", width, longest)
			}
		})
	}
}

// TestOneLine checks that a file's name cannot control the terminal.
func TestOneLine(t *testing.T) {
	err := errors.New("a\x1b[2Jb:\r\n  c\u202ed")
	if got, want := OneLine(err), "a\uFFFD[2Jb:; c\uFFFDd"; got != want {
		t.Errorf("found %q, expected %q", got, want)
	}
}
