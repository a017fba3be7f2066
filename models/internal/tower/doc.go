// Package tower is shared by the models that are built around a Vision Transformer's encoder:
//
//	names := tower.Names(models.Timm, checkpoint.Rule{"Head", "classifier", "head"})
//	sizes, err := tower.ReadSizes(folder.Find, nil)
//	err = folder.Fill(model, tower.FitPatches, tower.FitPositions(tower.Grid{14, 14}, tower.Grid{24, 24}, tower.Interpolation{}))
//
// It holds the encoder's rows of a table of names, the sizes that the shapes of weights tell where there is no
// configuration, and the resizing of position tables. A model has a vit.Encoder in a field Encoder.
package tower
