// Package split cuts a text into the pieces that a model tokenizes one by one:
//
//	splitter, err := split.Parse([]byte(`{"type": "Whitespace"}`))
//	pieces := splitter.Split(nil, nil, normalize.New("two words"))
//	pieces[1].Text()          // "words"
//	pieces[1].Original(0, 5)  // 4, 9: its bytes in the original
//
// The field "pre_tokenizer" of a tokenizer.json names the splitter. Splitters and the places of pieces are those of the
// library tokenizers 0.23.3 of Hugging Face. Some change the text, too: ByteLevel writes a printable character for each
// byte, Metaspace writes "▁" for spaces. Which characters are spaces, punctuation and numbers is stated in package
// chars; word characters and scripts are in an embedded file, for which the library was asked about every code point.
package split
