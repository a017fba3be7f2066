package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/vision"
)

// TestFrames sends photographs as JPEG files and as raw images, and expects the detections in the files, and the number of an
// object that does not move.
func TestFrames(t *testing.T) {
	dir := golden.SharedData(t, "detectors", "fastestdet")
	weights := filepath.Join(dir, "fastestdet.pth")
	var files, raw []byte
	for _, name := range []string{"1.jpg", "1.jpg", "2.jpg"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data...)
		img, err := vision.Decode(bytes.NewReader(data), vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, img.Pix...)
	}
	want := detected(t, "-weights", weights, filepath.Join(dir, "1.jpg"), filepath.Join(dir, "2.jpg"))
	drawn := t.TempDir()
	for format, stream := range map[string][]byte{"mjpeg": files, "640x480": raw} {
		var stdout, stderr bytes.Buffer
		if status := command([]string{"-weights", weights, "-frames", format, "-track", "-draw", drawn, "-json"}, bytes.NewReader(stream), &stdout, &stderr); status != 0 {
			t.Fatalf("%s: status %d: %s", format, status, &stderr)
		}
		var got []struct {
			parsed
			Detections []struct {
				Box   []float64
				Label string
				Track int
			}
		}
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[1].Image != "frame-000001" {
			t.Fatalf("%s: found %+v", format, got)
		}
		for i, frame := range got {
			theirs := want[max(0, i-1)].Detections
			if len(frame.Detections) != len(theirs) {
				t.Fatalf("%s: frame %d: found %+v, expected %+v", format, i, frame.Detections, theirs)
			}
			for k, d := range frame.Detections {
				if !slices.Equal(d.Box, theirs[k].Box) || d.Label != theirs[k].Label {
					t.Errorf("%s: frame %d: found %+v, expected %+v", format, i, d, theirs[k])
				}
			}
		}
		// The bus is the first object, the people in the last frame are new.
		if got[0].Detections[0].Track != 1 || got[1].Detections[0].Track != 1 || got[2].Detections[0].Track != 2 {
			t.Errorf("%s: found %+v", format, got)
		}
	}
	if drawings, err := filepath.Glob(filepath.Join(drawn, "frame-00000*.png")); err != nil || len(drawings) != 3 {
		t.Errorf("found %q", drawings)
	}
}

// TestBadFrames names and counts frames that cannot be read, goes on after one, and keeps the results before a cut-off end.
func TestBadFrames(t *testing.T) {
	model, _ := saved(t)
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, vision.NewImage(20, 30, 3), nil); err != nil {
		t.Fatal(err)
	}
	good := encoded.Bytes()
	bad := []byte{0xff, 0xd8, 0xff, 0xda, 0, 4, 9, 9, 7, 0xff, 0xd9} // a scan without tables
	for _, c := range []struct {
		format string
		stream []byte
		found  []string // frames
		lines  []string // on standard error, before the count
		count  string
	}{
		{"mjpeg", slices.Concat(good, bad, good, good[:len(good)/2]), []string{"frame-000000", "frame-000002"}, []string{"frame-000001: ", "frame-000003: the last frame is cut off"}, "2 of 4"},
		{"mjpeg", slices.Concat(good, []byte("no frame"), good), []string{"frame-000000"}, []string{"frame-000001: expected JPEG files"}, "1 of 2"},
		{"mjpeg", []byte("no frames"), nil, []string{"frame-000000: expected JPEG files"}, "1 of 1"},
		{"2x2", make([]byte, 12+9), []string{"frame-000000"}, []string{"frame-000001: the last frame has 9 of 12 bytes"}, "1 of 2"},
	} {
		var stdout, stderr bytes.Buffer
		status := command([]string{"-weights", model, "-frames", c.format, "-track", "-json"}, bytes.NewReader(c.stream), &stdout, &stderr)
		var results []parsed
		if err := json.Unmarshal(stdout.Bytes(), &results); err != nil || status != 1 {
			t.Errorf("%s: status %d, %v: found %q, %q", c.count, status, err, &stdout, &stderr)
			continue
		}
		var names []string
		for _, r := range results {
			names = append(names, r.Image)
		}
		if !slices.Equal(names, c.found) {
			t.Errorf("%s: found %q, expected %q", c.count, names, c.found)
		}
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		if len(lines) != len(c.lines)+1 || lines[len(lines)-1] != "detect: "+c.count+" images could not be read" {
			t.Errorf("%s: found %q", c.count, lines)
			continue
		}
		for i, want := range c.lines {
			if !strings.HasPrefix(lines[i], "detect: standard input: "+want) {
				t.Errorf("%s: found %q, expected %q", c.count, lines[i], want)
			}
		}
	}
}

// TestJPEGs divides a stream whose parts hold end markers within segments, and refuses others.
func TestJPEGs(t *testing.T) {
	one := []byte{0xff, 0xd8, 0xff, 0xe0, 0, 6, 0xff, 0xd9, 1, 2, 0xff, 0xda, 0, 4, 9, 9, 7, 0xff, 0, 8, 0xff, 0xd3, 5, 0xff, 0xff, 0xd9}
	r := bufio.NewReader(bytes.NewReader(slices.Concat(one, one)))
	for range 2 {
		if got, err := nextJPEG(r); err != nil || !bytes.Equal(got, one) {
			t.Errorf("found %v, %v", got, err)
		}
	}
	if _, err := nextJPEG(r); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for i := 1; i < len(one); i++ {
		if got, err := nextJPEG(bufio.NewReader(bytes.NewReader(one[:i]))); err == nil || err == io.EOF {
			t.Errorf("%d bytes: found %v, %v", i, got, err)
		}
	}
	if _, err := nextJPEG(bufio.NewReader(bytes.NewReader([]byte{0xff, 0xd8, 3, 4}))); err == nil {
		t.Error("no marker: expected an error")
	}
}

// TestTracker follows two objects that pass each other, one that is lost for a while, and one of another class.
func TestTracker(t *testing.T) {
	at := func(class int, x float32) detect.Detection {
		return detect.Detection{Class: class, Box: detect.Box{X0: x, Y0: 0, X1: x + 10, Y1: 10}}
	}
	var k tracker
	for i, c := range []struct {
		found detect.Detections
		want  []int
	}{
		{detect.Detections{at(0, 0), at(0, 40)}, []int{1, 2}},
		{detect.Detections{at(0, 38), at(0, 3)}, []int{2, 1}},
		{detect.Detections{at(0, 6), at(1, 38)}, []int{1, 3}}, // another class at the place of the second
		{detect.Detections{at(0, 36)}, []int{2}},
		{detect.Detections{at(0, 90)}, []int{4}},
	} {
		if got := k.update(c.found); !slices.Equal(got, c.want) {
			t.Errorf("frame %d: found %v, expected %v", i, got, c.want)
		}
	}
	for range trackPatience + 1 {
		k.update(nil)
	}
	if got := k.update(detect.Detections{at(0, 90)}); !slices.Equal(got, []int{5}) || len(k.tracks) != 1 {
		t.Errorf("after a long time: found %v, %d tracks", got, len(k.tracks))
	}
}
