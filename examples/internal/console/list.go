package console

import (
	"fmt"
	"io"
)

// Title prints the name of group i of a list, such as a file or a question. A blank line stands between groups.
func Title(w io.Writer, i int, name string) {
	if i > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, Printable(name))
}

// Share prints a line of a group: a probability in percent, and its text.
func Share[F ~float32 | ~float64](w io.Writer, probability F, text string) {
	fmt.Fprintf(w, "  %5.1f %%  %s\n", 100*probability, Printable(text))
}
