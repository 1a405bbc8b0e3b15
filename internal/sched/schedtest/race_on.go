//go:build race

package schedtest

const raceDetector = true
