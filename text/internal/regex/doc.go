// Package regex finds matches of the regular expressions in tokenizer.json files:
//
//	r, err := regex.Compile(`'s| ?\p{L}+|\s+(?!\S)|\s+`)
//	for start, end := range r.All(text) {
//		fmt.Println(text[start:end])
//	}
//
// The library tokenizers matches these patterns with Oniguruma, in its own syntax. So do we: classes with nesting and
// intersection, Unicode properties, look-ahead, look-behind, lazy and possessive quantifiers, atomic groups, and
// matching without case, where "ß" equals "ss". The first alternative that leads to a match wins. The properties and
// the case folding are those of the Oniguruma in tokenizers 0.23.3, of Unicode 16; they are read from an embedded file.
// References to groups, \G, \K, \X, conditions, absent groups and callouts are unsupported: the error names the
// construct and its place.
//
// # Time and memory
//
// A pattern becomes a program for a matcher that goes back to the last choice when a match fails. Branches look at the
// next byte first, so that the patterns of known models seldom go back. After much work the matcher begins to record,
// for each instruction and each place, that it failed there. An instruction then runs once at a place, and the time is
// linear in the text. Patterns such as (a*)*b do no harm. The records have a fixed limit, and the choices grow with the
// text.
package regex
