package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run(program, args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return execute(ctx, &run{settings: s}, stdout, stderr)
	})
}

// execute does a run and prints its results. After an interrupt, the error contains the command to continue.
func execute(ctx context.Context, r *run, stdout, stderr io.Writer) error {
	text := stdout
	if r.settings.JSON {
		text = stderr
	}
	r.console = console.New(text)
	o, err := r.do(ctx)
	if err != nil && r.begun && console.Interrupted(ctx, err) {
		err = fmt.Errorf("%w; continue with -resume -out %s", err, r.settings.Out)
	}
	if err == nil && r.settings.JSON {
		err = console.PrintJSON(stdout, r.result(o))
	}
	return err
}
