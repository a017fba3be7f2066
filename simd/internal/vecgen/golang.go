package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// signature returns the signature of the assembly function; assembleKernel explains whole.
func signature(k *kernel, whole bool) string {
	var b strings.Builder
	b.WriteString("(")
	if len(k.accs) > 0 && !whole {
		fmt.Fprintf(&b, "%s *[16]float32, ", strings.Join(k.accs, ", "))
	}
	var names []string
	for _, a := range k.arrays {
		names = append(names, a.name)
	}
	fmt.Fprintf(&b, "%s *float32, n int", strings.Join(names, ", "))
	if len(k.scalars) > 0 {
		fmt.Fprintf(&b, ", %s float32", strings.Join(k.scalars, ", "))
	}
	b.WriteString(")")
	if whole {
		fmt.Fprintf(&b, " (%s float32)", strings.Join(k.accs, ", "))
	}
	return b.String()
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// stubs declares the assembly functions.
func stubs(ks []*kernel, levels ...string) []byte {
	var b bytes.Buffer
	b.WriteString(asm.Header(generator) + "package simd\n")
	for _, l := range levels {
		for _, k := range ks {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %s%s%s\n", lower(k.name), l, signature(k, false))
			if len(k.accs) > 0 {
				fmt.Fprintf(&b, "\n//go:noescape\nfunc %sWhole%s%s\n", lower(k.name), l, signature(k, true))
			}
		}
		fmt.Fprintf(&b, "\n//go:noescape\nfunc columnSumsAdd%s%s\n", l, columnParams)
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
	b.WriteString(asm.Header(generator) + constraint + "package simd\n\nimport \"github.com/fovea-ml/fovea/simd/internal/portable\"\n")
	for _, k := range ks {
		var names, ptrs, cut, rest []string
		for _, a := range k.arrays {
			names = append(names, a.name)
			ptrs = append(ptrs, "&"+a.name+"[0]")
			cut = append(cut, a.name+"[:k]")
			rest = append(rest, a.name+"[k:]")
		}
		scalars := append([]string{""}, k.scalars...)
		all := strings.Join(scalars, ", ")
		accs := strings.Join(append(append([]string{}, k.accs...), ""), ", ")
		params := strings.Join(names, ", ") + " []float32"
		if len(k.accs) > 0 {
			params = strings.Join(k.accs, ", ") + " *[lanes]float32, " + params
		}
		if len(k.scalars) > 0 {
			params += ", " + strings.Join(k.scalars, ", ") + " float32"
		}
		fmt.Fprintf(&b, "\nfunc vec%s(%s) {\n", k.name, params)
		call := func(l string, n string) string {
			return fmt.Sprintf("%s%s(%s%s, %s%s)", lower(k.name), l, accs, strings.Join(ptrs, ", "), n, all)
		}
		if len(levels) == 0 {
			fmt.Fprintf(&b, "portable.%s(%s%s%s)\n}\n", k.name, accs, strings.Join(names, ", "), all)
		} else {
			// The usual case first, without cutting slices.
			fmt.Fprintf(&b, "if n := len(%s); 0 < n && n <= maxCall {\nswitch level {\n", names[0])
			for _, l := range levels {
				fmt.Fprintf(&b, "case %s:\n%s\nreturn\n", l, call(l, "n"))
			}
			b.WriteString("}\n}\n")
			fmt.Fprintf(&b, "for len(%s) > 0 {\nk := min(len(%s), maxCall)\nswitch level {\n", names[0], names[0])
			for _, l := range levels {
				fmt.Fprintf(&b, "case %s:\n%s\n", l, call(l, "k"))
			}
			fmt.Fprintf(&b, "default:\nportable.%s(%s%s%s)\n}\n", k.name, accs, strings.Join(cut, ", "), all)
			fmt.Fprintf(&b, "%s = %s\n}\n}\n", strings.Join(names, ", "), strings.Join(rest, ", "))
		}
		if len(k.accs) > 0 {
			wholeDispatch(&b, k, levels)
		}
	}
	columnDispatch(&b, levels)
	for _, c := range conversions {
		halfDispatch(&b, c, levels)
	}
	return formatted(b.Bytes())
}

// wholeDispatch defines the function that reduces a whole row: in one call if the row is short enough,
// otherwise over lanes in memory.
func wholeDispatch(b *bytes.Buffer, k *kernel, levels []string) {
	var names, ptrs, accs []string
	for _, a := range k.arrays {
		names = append(names, a.name)
		ptrs = append(ptrs, "&"+a.name+"[0]")
	}
	for _, a := range k.accs {
		accs = append(accs, "&"+a+"Lanes")
	}
	scalars := strings.Join(append([]string{""}, k.scalars...), ", ")
	params := strings.Join(names, ", ") + " []float32"
	if len(k.scalars) > 0 {
		params += scalars + " float32"
	}
	fmt.Fprintf(b, "\nfunc whole%s(%s) (%s float32) {\n", k.name, params, strings.Join(k.accs, ", "))
	if len(levels) > 0 {
		fmt.Fprintf(b, "if n := len(%s); 0 < n && n <= maxCall {\nswitch level {\n", names[0])
		for _, l := range levels {
			fmt.Fprintf(b, "case %s:\nreturn %sWhole%s(%s, n%s)\n", l, lower(k.name), l, strings.Join(ptrs, ", "), scalars)
		}
		b.WriteString("}\n}\n")
	}
	fold := map[folding]string{foldSum: "Fold", foldMax: "FoldMax", foldMaxNaN: "FoldMaxNaN"}[k.fold]
	var results []string
	for _, a := range k.accs {
		if k.fold == foldSum {
			fmt.Fprintf(b, "var %sLanes [lanes]float32\n", a)
		} else {
			fmt.Fprintf(b, "%sLanes := portable.NegInf()\n", a)
		}
		results = append(results, fmt.Sprintf("portable.%s(&%sLanes)", fold, a))
	}
	fmt.Fprintf(b, "vec%s(%s, %s%s)\nreturn %s\n}\n", k.name, strings.Join(accs, ", "), strings.Join(names, ", "), scalars, strings.Join(results, ", "))
}

// columnDispatch cuts a matrix into pieces that one call may process.
func columnDispatch(b *bytes.Buffer, levels []string) {
	b.WriteString("\nfunc vecColumnSumsAdd(dst, x []float32, rows, stride int) {\n")
	if len(levels) > 0 {
		b.WriteString("for len(dst) > maxCall {\nvecColumnSumsAdd(dst[:maxCall], x, rows, stride)\ndst, x = dst[maxCall:], x[maxCall:]\n}\n")
		b.WriteString("step := max(1, maxCall/len(dst))\nfor rows > 0 {\nk := min(rows, step)\nswitch level {\n")
		for _, l := range levels {
			fmt.Fprintf(b, "case %s:\ncolumnSumsAdd%s(&dst[0], &x[0], k, len(dst), stride)\n", l, l)
		}
		b.WriteString("default:\nportable.ColumnSumsAdd(dst, x, k, stride)\n}\nif rows -= k; rows > 0 {\nx = x[k*stride:]\n}\n}\n}\n")
		return
	}
	b.WriteString("portable.ColumnSumsAdd(dst, x, rows, stride)\n}\n")
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
