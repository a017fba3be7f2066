package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/fovea-ml/fovea/train"
)

// console is where a run speaks to people: lines, and how far a phase has come, as a bar on a terminal and as
// a line now and then elsewhere.
type console struct {
	out io.Writer // lines
	bar io.Writer // bars; nil when there is no terminal to draw them on
}

// newConsole writes lines to out and draws bars on the standard error stream when that is a terminal.
func newConsole(out io.Writer) *console {
	c := &console{out: out}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		c.bar = os.Stderr
	}
	return c
}

func (c *console) line(format string, args ...any) {
	fmt.Fprintf(c.out, format+"\n", args...)
}

// patience is how long a phase may take without showing how far it is, and the least time between lines.
const patience = 2 * time.Second

// lines is about how many lines a phase prints where there is no terminal.
const lines = 8

// phase begins to show a phase of the given number of steps.
func (c *console) phase(name string, steps int) *progress {
	return &progress{console: c, name: name, steps: steps, begun: time.Now(), last: time.Now()}
}

// progress shows how far a phase is.
type progress struct {
	*console
	name  string
	steps int
	first int // the first step that was done here, after those of an interrupted run
	begun time.Time
	last  time.Time // when something was shown
	shown int       // the step it was shown at
	drawn *progressbar.ProgressBar
}

// step shows a step that is done.
func (p *progress) step(rec train.Record) {
	if p.first == 0 {
		p.first, p.shown = rec.Step, rec.Step-1
	}
	if p.bar != nil {
		p.draw(rec)
		return
	}
	if time.Since(p.last) < patience || (rec.Step-p.shown)*lines < p.steps {
		return
	}
	p.last, p.shown = time.Now(), rec.Step
	each := time.Since(p.begun) / time.Duration(rec.Step-p.first+1)
	left := each * time.Duration(p.steps-rec.Step)
	p.line("%s: step %d of %d, loss %.4f, %.0f pictures a second, %v left", p.name, rec.Step, p.steps, rec.Loss, rec.ImagesPerSecond, left.Round(time.Second))
}

func (p *progress) draw(rec train.Record) {
	if p.drawn == nil {
		if time.Since(p.begun) < patience {
			return
		}
		p.drawn = progressbar.NewOptions(p.steps,
			progressbar.OptionSetWriter(p.bar), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionShowCount())
	}
	p.drawn.Describe(fmt.Sprintf("%s, loss %.3f", p.name, rec.Loss))
	p.drawn.Set(rec.Step)
}

// end takes the bar away.
func (p *progress) end() {
	if p.drawn != nil {
		p.drawn.Clear()
	}
}
