package qerr_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"No such file or directory": fmt.Errorf("open x: %w", syscall.ENOENT),
		"Permission denied":         syscall.EACCES,
		"something else":            errors.New("something else"),
	} {
		if got := qerr.Reason(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
