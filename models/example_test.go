package models_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/models"
)

func ExamplePackageFor() {
	fmt.Println(models.PackageFor("vit_mae"))
	// Output: models/mae
}

// The names of classes are kept as transformers keeps them in config.json, by number and by name.
func ExampleClasses() {
	var c models.Classes
	c.SetLabels([]string{"cat", "dog"})
	c.NameAll(3)
	fmt.Println(c.Labels(), c.Label2ID["dog"])
	// Output: [cat dog LABEL_2] 1
}
