package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// signature returns the signature of the assembly function. A kernel with accumulators returns the folded numbers.
func signature(k *kernel) string {
	var b strings.Builder
	fmt.Fprintf(&b, "(%s *float32, n int%s)", strings.Join(k.arrayNames(), ", "), k.scalarParams())
	if len(k.accs) > 0 {
		fmt.Fprintf(&b, " (%s float32)", strings.Join(k.accs, ", "))
	}
	return b.String()
}

func (k *kernel) arrayNames() (names []string) {
	for _, a := range k.arrays {
		names = append(names, a.name)
	}
	return names
}

// each returns the arrays with pre before and post after each name.
func (k *kernel) each(pre, post string) string {
	var s []string
	for _, a := range k.arrays {
		s = append(s, pre+a.name+post)
	}
	return strings.Join(s, ", ")
}

// scalarParams continues a list of parameters by the scalars.
func (k *kernel) scalarParams() string {
	if len(k.scalars) == 0 {
		return ""
	}
	return ", " + strings.Join(k.scalars, ", ") + " float32"
}

// scalarArgs continues a list of arguments by the scalars.
func (k *kernel) scalarArgs() string { return strings.Join(append([]string{""}, k.scalars...), ", ") }

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// stubs declares the assembly functions.
func stubs(ks []*kernel, levels ...string) []byte {
	var b bytes.Buffer
	b.WriteString(asm.Header(generator) + "package simd\n")
	for _, l := range levels {
		for _, k := range ks {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %s%s%s\n", lower(k.name), l, signature(k))
		}
		for _, c := range columnKernels {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %s%s%s\n", lower(c.name), l, c.params())
		}
		for _, c := range conversions {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %s%s%s\n", lower(c.name), l, c.params())
		}
	}
	return formatted(b.Bytes())
}

// dispatch defines one function for each kernel, which calls the version of the level in use. Assembly
// cannot be preempted, so long slices are processed in pieces.
func dispatch(ks []*kernel, constraint string, levels ...string) []byte {
	var b bytes.Buffer
	math := "" // maxima of several chunks start from -Inf
	if len(levels) > 0 {
		math = "\"math\"\n\n"
	}
	b.WriteString(asm.Header(generator) + constraint + "package simd\n\nimport (\n" + math + "\"github.com/fovea-ml/fovea/simd/internal/portable\"\n)\n")
	for _, k := range ks {
		if len(k.accs) > 0 {
			reductionDispatch(&b, k, levels)
		} else {
			mapDispatch(&b, k, levels)
		}
	}
	for _, c := range columnKernels {
		columnDispatch(&b, c, levels)
	}
	for _, c := range conversions {
		halfDispatch(&b, c, levels)
	}
	return formatted(b.Bytes())
}

// call is the call of a kernel's assembly for one level.
func (k *kernel) call(level, n string) string {
	return fmt.Sprintf("%s%s(%s, %s%s)", lower(k.name), level, k.each("&", "[0]"), n, k.scalarArgs())
}

func mapDispatch(b *bytes.Buffer, k *kernel, levels []string) {
	first := k.arrays[0].name
	fmt.Fprintf(b, "\nfunc vec%s(%s []float32%s) {\n", k.name, k.each("", ""), k.scalarParams())
	if len(levels) == 0 {
		fmt.Fprintf(b, "portable.%s(%s%s)\n}\n", k.name, k.each("", ""), k.scalarArgs())
		return
	}
	// The usual case first, without cutting slices.
	fmt.Fprintf(b, "if n := len(%s); 0 < n && n <= maxCall {\nswitch level {\n", first)
	for _, l := range levels {
		fmt.Fprintf(b, "case %s:\n%s\nreturn\n", l, k.call(l, "n"))
	}
	b.WriteString("}\n}\n")
	fmt.Fprintf(b, "for len(%s) > 0 {\nk := min(len(%s), maxCall)\nswitch level {\n", first, first)
	for _, l := range levels {
		fmt.Fprintf(b, "case %s:\n%s\n", l, k.call(l, "k"))
	}
	fmt.Fprintf(b, "default:\nportable.%s(%s%s)\n}\n", k.name, k.each("", "[:k]"), k.scalarArgs())
	fmt.Fprintf(b, "%s = %s\n}\n}\n", k.each("", ""), k.each("", "[k:]"))
}

// reductionDispatch defines the function that reduces a whole row: in one call if the row is a chunk, otherwise
// chunk by chunk. Sums of chunks are added in float64.
func reductionDispatch(b *bytes.Buffer, k *kernel, levels []string) {
	first := k.arrays[0].name
	results := strings.Join(k.accs, ", ")
	fmt.Fprintf(b, "\nfunc vec%s(%s []float32%s) (%s float32) {\n", k.name, k.each("", ""), k.scalarParams(), results)
	whole := fmt.Sprintf("return portable.%s(%s%s)\n", k.name, k.each("", ""), k.scalarArgs())
	if len(levels) == 0 {
		fmt.Fprintf(b, "%s}\n", whole)
		return
	}
	fmt.Fprintf(b, "if n := len(%s); 0 < n && n <= chunk {\nswitch level {\n", first)
	for _, l := range levels {
		fmt.Fprintf(b, "case %s:\nreturn %s\n", l, k.call(l, "n"))
	}
	fmt.Fprintf(b, "}\n}\nif level == Generic || len(%s) == 0 {\n%s}\n", first, whole)
	var parts, totals []string
	for _, a := range k.accs {
		total := a + "Total"
		if k.fold == foldSum {
			fmt.Fprintf(b, "%s := 0.0\n", total)
			totals = append(totals, "float32("+total+")")
		} else {
			fmt.Fprintf(b, "%s := float32(math.Inf(-1))\n", total)
			totals = append(totals, total)
		}
		parts = append(parts, a)
	}
	fmt.Fprintf(b, "for len(%s) > 0 {\nk := min(len(%s), chunk)\nswitch level {\n", first, first)
	for _, l := range levels {
		fmt.Fprintf(b, "case %s:\n%s = %s\n", l, strings.Join(parts, ", "), k.call(l, "k"))
	}
	b.WriteString("}\n")
	for _, a := range k.accs {
		switch k.fold {
		case foldSum:
			fmt.Fprintf(b, "%sTotal += float64(%s)\n", a, a)
		case foldMax:
			fmt.Fprintf(b, "if %s > %sTotal {\n%sTotal = %s\n}\n", a, a, a, a)
		case foldMaxNaN:
			fmt.Fprintf(b, "if %s > %sTotal || %s != %s {\n%sTotal = %s\n}\n", a, a, a, a, a, a)
		}
	}
	fmt.Fprintf(b, "%s = %s\n}\nreturn %s\n}\n", k.each("", ""), k.each("", "[k:]"), strings.Join(totals, ", "))
}

// columnDispatch defines the function that adds the sums of at most portable.Rows rows to dst.
func columnDispatch(b *bytes.Buffer, c columnKernel, levels []string) {
	var ptrs, strides []string
	for _, m := range c.matrices {
		ptrs = append(ptrs, "&"+m+"[0]")
		strides = append(strides, c.stride(m))
	}
	fmt.Fprintf(b, "\nfunc vec%s(dst, %s []float32, rows, %s int) {\n", c.name, strings.Join(c.matrices, ", "), strings.Join(strides, ", "))
	if len(levels) > 0 {
		b.WriteString("switch level {\n")
		for _, l := range levels {
			fmt.Fprintf(b, "case %s:\n%s%s(&dst[0], %s, rows, len(dst), %s)\n", l, lower(c.name), l, strings.Join(ptrs, ", "), strings.Join(strides, ", "))
		}
		b.WriteString("default:\n")
	}
	fmt.Fprintf(b, "portable.%s(dst, %s, rows, %s)\n", c.name, strings.Join(c.matrices, ", "), strings.Join(strides, ", "))
	if len(levels) > 0 {
		b.WriteString("}\n")
	}
	b.WriteString("}\n")
}

func halfDispatch(b *bytes.Buffer, c conversion, levels []string) {
	fmt.Fprintf(b, "\nfunc vec%s(dst []%s, src []%s) {\n", c.name, c.dst, c.src)
	if len(levels) > 0 {
		b.WriteString("for len(dst) >= lanes {\nk := min(len(dst)&^(lanes-1), maxCall)\nswitch level {\n")
		for _, l := range levels {
			fmt.Fprintf(b, "case %s:\n%s%s(&dst[0], &src[0], k)\n", l, lower(c.name), l)
		}
		fmt.Fprintf(b, "default:\nportable.%s(dst[:k], src)\n}\ndst, src = dst[k:], src[k:]\n}\n", c.name)
	}
	fmt.Fprintf(b, "portable.%s(dst, src)\n}\n", c.name)
}

func formatted(src []byte) []byte {
	b, err := format.Source(src)
	if err != nil {
		panic(fmt.Sprintf("%v\n%s", err, src))
	}
	return b
}
