// Package tool holds the version of ghz in the tester's image, and in the tests.
//
// Nothing here runs: the import makes `go mod tidy` keep the modules in go.mod and their hashes in go.sum.
package tool

import _ "github.com/bojand/ghz/cmd/ghz"
