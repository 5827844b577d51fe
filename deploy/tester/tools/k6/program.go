// Package tool holds the version of k6 in the tester's image, and in the tests.
//
// Nothing here runs: the import makes `go mod tidy` keep the modules in go.mod and their hashes in go.sum.
package tool

import _ "go.k6.io/k6"
