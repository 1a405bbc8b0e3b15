// Package gentest is what the generator makes of a schema with one of
// everything and no coroutine. It is the golden file of package gen's tests,
// and its own tests show that the code works.
package gentest

//go:generate go run ../cmd/qapi-gen -package gentest -o . schema.json
