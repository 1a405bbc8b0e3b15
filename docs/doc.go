// Package docs holds the pages about the machine, and the tables in compat.md
// that are made from the program itself: its schema, its classes of devices,
// its human monitor and its flags. A test fails when they are out of date, and
//
//	go generate ./docs
//
// writes them anew. The package has no code of its own: no goroutines, no locks.
package docs

//go:generate go test -run TestTables -count=1 . -rewrite
