// Package skipper holds the version of the Skipper that the tests run.
//
// Nothing here runs: the imports make `go mod tidy` keep the modules in go.mod and their hashes in go.sum.
package skipper

import (
	_ "github.com/zalando/skipper"
	_ "github.com/zalando/skipper/config"
)
