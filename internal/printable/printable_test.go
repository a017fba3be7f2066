package printable_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/internal/printable"
)

func ExampleName() {
	for _, name := range []string{"naïve 猫.png", "a\x1b[2Jb.png", "a\u202egnp.exe", "\xff.png"} {
		fmt.Println(printable.Name(name))
	}
	// Output:
	// naïve 猫.png
	// "a\x1b[2Jb.png"
	// "a\u202egnp.exe"
	// "\xff.png"
}
