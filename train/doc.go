// Package train changes models by their gradients: optimisers, learning-rate schedules, clipping and
// averages of weights.
package train
