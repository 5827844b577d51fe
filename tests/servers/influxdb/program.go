// Package influxdb holds the version of the InfluxDB that the tests run: 1.7, which knows Flux, and needs no compiler
// but Go's for it.
//
// Nothing here runs: the imports make `go mod tidy` keep the modules in go.mod and their hashes in go.sum.
package influxdb

import (
	_ "github.com/influxdata/influxdb/cmd"
	_ "github.com/influxdata/influxdb/cmd/influxd/backup"
	_ "github.com/influxdata/influxdb/cmd/influxd/help"
	_ "github.com/influxdata/influxdb/cmd/influxd/restore"
	_ "github.com/influxdata/influxdb/cmd/influxd/run"
)
