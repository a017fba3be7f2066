package strictjson

// Members calls each for every member of an object, in the order of the file, with the text of its value. Unlike [Object] it
// keeps nothing, and a key that comes several times is a member each time.
func Members(data []byte, each func(key string, value []byte)) error {
	value, err := whole(data)
	if err != nil {
		return err
	}
	if value[0] != '{' {
		return &Error{Want: "an object", Found: describe(value)}
	}
	s := scanner{data: value}
	return s.object(0, func(key, value []byte) { each(unquote(key), value) })
}

// Elements calls each for every value of a list, in the order of the file, with its text.
func Elements(data []byte, each func(value []byte)) error {
	value, err := whole(data)
	if err != nil {
		return err
	}
	if value[0] != '[' {
		return &Error{Want: "a list", Found: describe(value)}
	}
	s := scanner{data: value}
	return s.list(0, each)
}

// Text returns the text that a value is.
func Text(data []byte) (string, error) {
	value, err := whole(data)
	if err != nil {
		return "", err
	}
	if value[0] != '"' {
		return "", &Error{Want: "text", Found: describe(value)}
	}
	return unquote(value), nil
}
