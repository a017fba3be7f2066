// Command levels prints the instruction sets this machine can run, as FOVEA_SIMD names them.
package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

func main() {
	for _, l := range simd.Levels() {
		fmt.Println(l)
	}
}
