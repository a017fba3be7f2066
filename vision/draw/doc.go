// Package draw shows people what a model saw and found:
//
//	out, err := draw.Annotate(photo, []draw.Annotation{
//		{Box: draw.Box{X0: 40, Y0: 60, X1: 200, Y1: 180}, Label: "cat", Score: 0.97},
//	})
//	if err != nil {
//		return err
//	}
//	err = vision.SavePNG("found.png", out)
//
// Each function takes images of any number of channels, leaves them as they are, and returns a new RGB image:
//
//   - [Annotate] draws boxes with labels, scores and landmarks. [ClassColor] gives each class a color that differs
//     from its neighbors' colors.
//   - [Heatmap] lays a map of numbers over an image, such as attention or the evidence for a class. A [ColorMap]
//     turns the numbers into colors.
//   - [Grid] lays images out on one sheet, with captions if there are any. [BeforeAfter] shows pairs side by side.
//   - [ContactSheet] shows the first images of an epoch as training sees them. Look at it before you trust a recipe.
//
// Text is set in the typeface Go Regular, which is part of the program and has Latin, Greek and Cyrillic letters. Its
// size follows the size of the image.
//
// Boxes, numbers and text may come from a model or a user. The border of the image cuts off boxes and text outside it.
// A malformed image, a coordinate that is not finite or a sheet above [vision.DefaultMaxPixels] gives an error that
// matches [vision.ErrSize] or [vision.ErrTooLarge].
package draw
