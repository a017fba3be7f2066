package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// patience is the time before a phase shows progress, and the minimum time between two lines.
const patience = 2 * time.Second

// lines is the approximate number of lines that a phase prints without a terminal.
const lines = 8

// A Unit is the unit that a phase counts in.
type Unit string

// Units. Bytes are shown as kB, MB or GB.
const (
	Steps Unit = "step"
	Files Unit = "file"
	Bytes Unit = "bytes"
)

// Phase starts a phase that counts up to total; 0 or less means that the total is unknown. A phase that ends within two
// seconds shows nothing.
func (c *Console) Phase(name string, unit Unit, total int64) *Progress {
	return &Progress{console: c, name: name, unit: unit, total: total, begun: time.Now(), last: time.Now()}
}

// Progress shows the progress of a phase. Only one goroutine may use it.
type Progress struct {
	console *Console
	name    string
	unit    Unit
	total   int64
	base    int64 // done before this run, in a resumed run
	counted bool  // base is known
	begun   time.Time
	last    time.Time // of the last line
	shown   int64     // done at the last line
	drawn   *progressbar.ProgressBar
}

// At shows that done units are finished. A bar shows the first note, a line shows all notes.
func (p *Progress) At(done int64, notes ...string) {
	if !p.counted {
		p.counted = true
		if p.unit != Bytes {
			p.base = done - 1
		}
		p.shown = p.base
	}
	if p.console.bar != nil {
		p.draw(done, notes)
		return
	}
	if time.Since(p.last) < patience || p.total > 0 && (done-p.shown)*lines < p.total {
		return
	}
	p.last, p.shown = time.Now(), done
	p.console.Line("%s", p.line(done, notes))
}

// line returns the progress as text, such as "pre-training: step 5 of 8, loss 0.21, 3s left".
func (p *Progress) line(done int64, notes []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", p.name)
	if p.unit == Bytes {
		b.WriteString(Size(done))
	} else {
		fmt.Fprintf(&b, "%s %d", p.unit, done)
	}
	if p.total > 0 && p.unit == Bytes {
		b.WriteString(" of " + Size(p.total))
	} else if p.total > 0 {
		fmt.Fprintf(&b, " of %d", p.total)
	}
	for _, n := range notes {
		b.WriteString(", " + n)
	}
	if here := done - p.base; p.total > done && here > 0 {
		left := time.Duration(float64(time.Since(p.begun)) / float64(here) * float64(p.total-done))
		fmt.Fprintf(&b, ", %v left", left.Round(time.Second))
	}
	return b.String()
}

func (p *Progress) draw(done int64, notes []string) {
	if p.drawn == nil {
		if time.Since(p.begun) < patience {
			return
		}
		total := p.total
		if total <= 0 {
			total = -1
		}
		count := progressbar.OptionShowCount()
		if p.unit == Bytes {
			count = progressbar.OptionShowBytes(true)
		}
		p.drawn = progressbar.NewOptions64(total, count,
			progressbar.OptionSetWriter(&cutter{to: p.console.bar, width: p.console.width}), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	text := p.name
	if len(notes) > 0 {
		text += ", " + notes[0]
	}
	p.drawn.Describe(text)
	p.drawn.Set64(done)
}

// End removes the bar.
func (p *Progress) End() {
	if p.drawn != nil {
		p.drawn.Clear()
	}
}

// Size formats a number of bytes in powers of 1000, such as "346.3 MB".
func Size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	x, unit := float64(n)/1000, 0
	for x >= 999.95 && unit+1 < len(units) {
		x, unit = x/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", x, units[unit])
}
