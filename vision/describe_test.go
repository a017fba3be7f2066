package vision

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
)

func TestDescribe(t *testing.T) {
	l := &Loader{
		Data:       numbered(5),
		Preprocess: ImageNet(224),
		Augment:    &Augment{Crop: true, Scale: [2]float64{0.2, 1}, Jitter: &ColorJitter{Hue: 0.1}, Erase: &RandomErasing{Prob: 0.25, Mode: ErasePixels}},
		Mix:        &Mix{Mixup: 0.8, Prob: new(0.0), Smoothing: 0.1},
		Shuffle:    true, Seed: 3, Goroutines: 7, Ahead: 9,
	}
	want := map[string]string{
		"length": "5", "batch size": "32", "shuffle": "true", "seed": "3", "repeats": "1", "drop last": "false", "error policy": "stop",
		"classes": `2 "even" "odd"`,
		"preprocess": "{Backend=timm Mode=short side Width=256 Filter=bicubic CropHeight=224 CropWidth=224 " +
			"Mean=[0.485 0.456 0.406] Std=[0.229 0.224 0.225]}",
		"augmentation": "{Crop=true Scale=[0.2 1] Jitter={Hue=0.1} Erase={Prob=0.25 Mode=pixels}}",
		"mix":          "{Mixup=0.8 Prob=0 Smoothing=0.1}",
	}
	if d := cmp.Diff(want, l.Describe()); d != "" {
		t.Error(d)
	}
	l.Augment, l.Mix, l.Data = nil, nil, &Memory{}
	if d := l.Describe(); d["augmentation"] != "none" || d["mix"] != "none" || d["classes"] != "0" || d["length"] != "0" {
		t.Errorf("%v", d)
	}
}

// TestDescribeEveryField sets each field of the settings, however deep, and asks for another text.
func TestDescribeEveryField(t *testing.T) {
	l := &Loader{Data: numbered(5), Augment: &Augment{Jitter: &ColorJitter{}, Rand: &RandAugment{}, Erase: &RandomErasing{}}, Mix: &Mix{}}
	before := l.Describe()
	fields := 0
	for _, settings := range []any{&l.Preprocess, l.Augment, l.Mix} {
		eachField(reflect.ValueOf(settings).Elem(), fmt.Sprintf("%T", settings), func(path string) {
			fields++
			if maps.Equal(before, l.Describe()) {
				t.Errorf("%s does not change the description", path)
			}
		})
	}
	if fields < 30 {
		t.Errorf("%d fields", fields)
	}
	if d := cmp.Diff(before, l.Describe()); d != "" {
		t.Errorf("the fields were not reset: %s", d)
	}
}

// eachField calls f while one field is set, for each field of v and of the structs that it points to.
func eachField(v reflect.Value, path string, f func(path string)) {
	for i := range v.NumField() {
		field, path := v.Field(i), path+"."+v.Type().Field(i).Name
		if field.Kind() == reflect.Pointer && field.Elem().Kind() == reflect.Struct {
			eachField(field.Elem(), path, f)
			continue
		}
		old := reflect.New(field.Type()).Elem()
		old.Set(field)
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(!field.Bool())
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Array:
			field.Index(1).Set(reflect.ValueOf(1).Convert(field.Type().Elem()))
		case reflect.String:
			field.SetString("another")
		default:
			field.Set(reflect.ValueOf(1).Convert(field.Type()))
		}
		f(path)
		field.Set(old)
	}
}

func TestDescribeManyClasses(t *testing.T) {
	names := make([]string, 11)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	first := describeClasses(names)
	names[10] = "another"
	if second := describeClasses(names); first == second || len(first) > 100 {
		t.Errorf("%s, with another name %s", first, second)
	}
	if a, b := describeClasses([]string{`a" "b`}), describeClasses([]string{"a", "b"}); a == b {
		t.Errorf("one class and two are both %s", a)
	}
}

// TestDescribeData covers the settings that the loader shares with package data.
func TestDescribeData(t *testing.T) {
	l := &Loader{Data: numbered(5), BatchSize: 2, Repeats: 3, DropLast: true, OnError: data.SkipErrors, Seed: 1<<64 - 1}
	d := l.Describe()
	for name, want := range map[string]string{"batch size": "2", "repeats": "3", "drop last": "true", "error policy": "skip", "shuffle": "false", "seed": "18446744073709551615"} {
		if d[name] != want {
			t.Errorf("%s is %q, expected %q", name, d[name], want)
		}
	}
}
