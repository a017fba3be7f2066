package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// TestResume interrupts runs at several steps of each phase. The resumed run must give the same bits as a run that was
// not interrupted.
func TestResume(t *testing.T) {
	whole := tinyRun(t.TempDir())
	var steps []string
	whole.afterStep = func(phase string, step int) { steps = append(steps, fmt.Sprint(phase, " ", step)) }
	want, err := whole.do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	wantJSON, _ := json.Marshal(resultOf(want, &settings{}))

	last := len(steps) - 1
	for _, stops := range [][]string{
		{"pre-training 1"}, {"pre-training 4"}, {"pre-training 12"},
		{"fine-tuning 1"}, {"fine-tuning 7"}, {"fine-tuning 18"},
		{"self-training 1"}, {"self-training 11"},
		{"from scratch 1"}, {"from scratch 8"}, {steps[last]},
		{"pre-training 2", "pre-training 9", "fine-tuning 3", "fine-tuning 4", "self-training 5", "from scratch 17"},
	} {
		t.Run(strings.Join(stops, ", "), func(t *testing.T) {
			out := t.TempDir()
			resumed := false
			for _, stop := range stops {
				r := tinyRun(out)
				r.settings.Resume = resumed
				ctx, cancel := context.WithCancelCause(context.Background())
				reached := false
				r.afterStep = func(phase string, step int) {
					if fmt.Sprint(phase, " ", step) == stop {
						reached = true
						cancel(console.ErrInterrupted)
					}
				}
				if _, err := r.do(ctx); !errors.Is(err, console.ErrInterrupted) || !reached {
					t.Fatalf("stopped at %q (%v): %v", stop, reached, err)
				}
				resumed = true
			}
			r := tinyRun(out)
			r.settings.Resume, r.settings.Threads = true, 1
			got, err := r.do(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if gotJSON, _ := json.Marshal(resultOf(got, &settings{})); !bytes.Equal(gotJSON, wantJSON) {
				t.Errorf("%s, expected %s", gotJSON, wantJSON)
			}
			for _, name := range []string{"pretrained", "classifier", "selftrained", "scratch"} {
				if !bytes.Equal(read(t, out, name, "model.safetensors"), read(t, whole.path(name), "model.safetensors")) {
					t.Errorf("%s differs from a run that was not interrupted", name)
				}
			}
			for _, name := range []string{"curves.png", "reconstruction.png"} {
				if !bytes.Equal(read(t, out, name), read(t, whole.path(name))) {
					t.Errorf("%s differs from a run that was not interrupted", name)
				}
			}
		})
	}
}

// TestCrash ends runs before they can save. The run that resumes from the last saved state must give the same bits.
func TestCrash(t *testing.T) {
	whole := tinyRun(t.TempDir())
	if _, err := whole.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	for i, at := range []string{"pre-training 7", "fine-tuning 2", "self-training 9", "from scratch 15"} {
		r := tinyRun(out)
		r.settings.Resume = i > 0
		r.afterStep = func(phase string, step int) {
			if fmt.Sprint(phase, " ", step) == at {
				panic(at)
			}
		}
		func() {
			defer func() {
				if p := recover(); p != at {
					t.Fatalf("expected a crash at %s, found %v", at, p)
				}
			}()
			r.do(context.Background())
		}()
	}
	r := tinyRun(out)
	r.settings.Resume = true
	if _, err := r.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pretrained", "classifier", "selftrained", "scratch"} {
		if !bytes.Equal(read(t, out, name, "model.safetensors"), read(t, whole.path(name), "model.safetensors")) {
			t.Errorf("%s differs from a run that did not crash", name)
		}
	}
}

// TestOtherRun resumes a run with other settings or data, which must fail.
func TestOtherRun(t *testing.T) {
	out := t.TempDir()
	stopped := tinyRun(out)
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped.afterStep = func(string, int) { cancel(console.ErrInterrupted) }
	if _, err := stopped.do(ctx); !errors.Is(err, console.ErrInterrupted) {
		t.Fatal(err)
	}

	s, err := parse([]string{"-resume", "-out", out, "-threads", "3", "-labels", "4"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Labels != 4 || s.Seed != 1 || s.Threads != 3 || !s.Resume {
		t.Errorf("restored %+v", s)
	}
	for _, c := range []struct{ flag, value string }{{"seed", "2"}, {"labels", "5"}, {"epochs", "3"}, {"mask", "0.5"}, {"data", out}, {"skip-broken", ""}} {
		args := []string{"-resume", "-out", out, "-" + c.flag}
		if c.value != "" {
			args = append(args, c.value)
		}
		if _, err := parse(args, nil); err == nil || !strings.Contains(err.Error(), "-"+c.flag) {
			t.Errorf("-%s %s: error %v, expected one about -%[1]s", c.flag, c.value, err)
		}
	}

	// Changed data.
	other := tinyRun(out)
	other.settings.Resume = true
	other.images.train = dots(40)
	if _, err := other.do(context.Background()); err == nil || !strings.Contains(console.OneLine(err), "identity: data") {
		t.Errorf("other data: %v", err)
	}
	// A corrupted resume file.
	write(t, stopped.resumeFile("pretrain"), []byte("not a resume file"))
	again := tinyRun(out)
	again.settings.Resume = true
	if _, err := again.do(context.Background()); err == nil || !strings.Contains(console.OneLine(err), "pretrain.safetensors") {
		t.Errorf("corrupted file: %v", err)
	}
	// A new run ignores the corrupted file.
	if _, err := tinyRun(out).do(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestMain turns the test binary into the program with tiny models, for TestSignals.
func TestMain(m *testing.M) {
	out := os.Getenv("MAE_TEST_OUT")
	if out == "" {
		os.Exit(m.Run())
	}
	ctx, stop := console.UntilSignal()
	r := tinyRun(out)
	r.settings.Resume = os.Getenv("MAE_TEST_RESUME") != ""
	r.afterStep = func(phase string, step int) {
		if os.Getenv("MAE_TEST_AT") == fmt.Sprint(phase, " ", step) {
			fmt.Println("reached")
			for ctx.Err() == nil || os.Getenv("MAE_TEST_HANG") != "" {
				time.Sleep(time.Millisecond)
			}
		}
	}
	status := exitStatus(ctx, r, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// TestSignals sends the program the signal of Ctrl-C, once and twice.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("sends an interrupt to another process")
	}
	out := t.TempDir()
	start := func(env ...string) (*exec.Cmd, *bytes.Buffer) {
		c := exec.Command(os.Args[0])
		c.Env = append(append(os.Environ(), "MAE_TEST_OUT="+out), env...)
		stderr := &bytes.Buffer{}
		c.Stderr = stderr
		return c, stderr
	}
	interrupted := func(times int, env ...string) string {
		c, stderr := start(env...)
		lines, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(time.Minute, func() { c.Process.Kill() }).Stop()
		buf, text := make([]byte, 4096), ""
		for !strings.Contains(text, "reached\n") {
			n, err := lines.Read(buf)
			if err != nil {
				t.Fatalf("the program ended early: %s%s", text, stderr)
			}
			text += string(buf[:n])
		}
		for range times {
			c.Process.Signal(os.Interrupt)
			time.Sleep(100 * time.Millisecond)
		}
		for err == nil {
			_, err = lines.Read(buf)
		}
		c.Wait()
		if c.ProcessState.ExitCode() != 130 {
			t.Errorf("exit status %d, expected 130: %s", c.ProcessState.ExitCode(), stderr)
		}
		return stderr.String()
	}

	text := interrupted(1, "MAE_TEST_AT=fine-tuning 5")
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "-resume -out "+out) {
		t.Errorf("expected one line with the command to continue, found %q", text)
	}
	c, stderr := start("MAE_TEST_RESUME=1")
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	whole := tinyRun(t.TempDir())
	if _, err := whole.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, out, "scratch", "model.safetensors"), read(t, whole.path("scratch"), "model.safetensors")) {
		t.Error("the weights of the resumed run differ from a run that was not interrupted")
	}

	// A program that hangs after the first signal ends at the second.
	if text := interrupted(2, "MAE_TEST_AT=pre-training 2", "MAE_TEST_HANG=1"); text != "" {
		t.Errorf("expected no output after the second signal, found %q", text)
	}
	if _, err := os.Stat(filepath.Join(out, "resume", "run.json")); err != nil {
		t.Error(err)
	}
}
