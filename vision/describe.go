package vision

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Describe returns the settings that decide the batches, by name: those of [data.Loader.Describe], and "classes",
// "preprocess", "augmentation" and "mix". A training run compares them with those of the run that it continues. The
// texts are the same on every machine; they name each field that is not the zero value.
func (l *Loader) Describe() map[string]string {
	d := l.items().Describe()
	if l.Data != nil {
		d["classes"] = describeClasses(l.Data.Classes())
	}
	d["preprocess"] = describe(reflect.ValueOf(l.Preprocess))
	d["augmentation"] = describe(reflect.ValueOf(l.Augment))
	d["mix"] = describe(reflect.ValueOf(l.Mix))
	return d
}

// describeClasses returns the number of classes and their names, or a digest of the names where they are many.
func describeClasses(names []string) string {
	const most = 10
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	all := strings.Join(quoted, " ")
	if len(names) > most {
		return fmt.Sprintf("%d, SHA-256 %x", len(names), sha256.Sum256([]byte(all)))
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", len(names), all))
}

// describe returns the exported fields of a struct that are not zero, as name=value. It follows pointers: a nil pointer is
// left out, or is "none" alone; a pointer to a zero is written as that zero. So a field that a later version adds does
// not change the texts of runs that leave it at its default.
func describe(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "none"
		}
		return describe(v.Elem())
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				fields = append(fields, v.Type().Field(i).Name+"="+describe(f))
			}
		}
		return "{" + strings.Join(fields, " ") + "}"
	case reflect.Array, reflect.Slice:
		each := make([]string, v.Len())
		for i := range each {
			each[i] = describe(v.Index(i))
		}
		return "[" + strings.Join(each, " ") + "]"
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	}
	return fmt.Sprint(v.Interface())
}
