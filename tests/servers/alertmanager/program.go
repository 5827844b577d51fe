// Package alertmanager holds the version of the Alertmanager that the tests run. Its page and its templates are in the
// module, ready made, so that Go's compiler is all that it takes.
//
// Nothing here runs: the import makes `go mod tidy` keep the modules in go.mod and their hashes in go.sum.
package alertmanager

import _ "github.com/prometheus/alertmanager/cmd/alertmanager"
