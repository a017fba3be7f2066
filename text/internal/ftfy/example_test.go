package ftfy_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/text/internal/ftfy"
)

func Example() {
	fmt.Printf("%q\n", ftfy.Fix("&ldquo;sÃ³ ﬁne&rdquo;\r\n"))
	// Output: "\"só fine\"\n"
}
