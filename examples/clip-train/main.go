package main

import (
	"context"
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
	return console.Execute(ctx, r.settings.JSON, stdout, stderr, func(c *console.Console) (any, error) {
		r.console = c
		o, err := r.do(ctx)
		if err != nil {
			return nil, err
		}
		return resultOf(o, &r.settings), nil
	})
}
