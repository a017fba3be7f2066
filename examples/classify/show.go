package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models"
)

// result is what -json prints of a picture.
type result struct {
	Image  string           `json:"image"`
	Logits []console.Number `json:"logits"`
	Top    []class          `json:"top"`
}

type class struct {
	Label string         `json:"label"`
	Index int            `json:"index"`
	P     console.Number `json:"p"`
}

func resultOf(p *picture, top int) result {
	r := result{Image: p.name, Logits: console.Numbers(p.Logits), Top: []class{}}
	for _, c := range best(p, top) {
		r.Top = append(r.Top, class{Label: c.Label, Index: c.Index, P: console.Number(c.Probability)})
	}
	return r
}

func best(p *picture, top int) []models.Class { return p.Top[:min(top, len(p.Top))] }

// printer shows pictures to people.
type printer struct {
	to   io.Writer
	top  int
	bars bool
	more bool // a picture was shown before
}

// width is that of a bar of 100 %, in characters.
const width = 24

// picture prints the picture's name and its most probable classes.
func (s *printer) picture(p *picture) error {
	var b strings.Builder
	if s.more {
		b.WriteByte('\n')
	}
	s.more = true
	fmt.Fprintf(&b, "%s\n", console.Printable(p.name))
	for _, c := range best(p, s.top) {
		label := console.Printable(c.Label)
		if label == "" {
			label = fmt.Sprintf("class %d", c.Index)
		}
		fmt.Fprintf(&b, "  %5.1f %%  ", 100*c.Probability)
		if s.bars {
			b.WriteString(bar(c.Probability) + "  ")
		}
		b.WriteString(label + "\n")
	}
	_, err := io.WriteString(s.to, b.String())
	return err
}

// bar draws a share as a bar of eighths of a character, padded to the full width.
func bar(share float32) string {
	eighths := max(0, min(int(share*width*8+0.5), width*8))
	whole := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		whole += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return whole + strings.Repeat(" ", width-(eighths+7)/8)
}
