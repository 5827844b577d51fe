//go:build tools

// Package contour holds the version of the Contour that the tests run.
//
// Nothing here runs: the import makes `go mod tidy` keep the modules in go.mod and their hashes in go.sum.
package contour

import _ "github.com/projectcontour/contour/cmd/contour"
