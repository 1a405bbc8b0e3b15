package torture

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// Flags of the package's tests; they do not change once parsed.
var (
	flagSeed      = flag.Uint64("torture.seed", 0, "replay the round with this seed only")
	flagSequences = flag.Int("torture.sequences", 0, "how many random sequences; 0: 1000 with the race detector, 100 without")
)

// sequences is how many random sequences are to be run.
func sequences() int {
	switch {
	case *flagSequences > 0:
		return *flagSequences
	case raceDetector:
		return 1000
	}
	return 100
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
