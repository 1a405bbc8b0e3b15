//go:build !unix

package qmp

import (
	"io"
	"os"
)

func copyFiles([]*os.File) ([]*os.File, error) { return nil, errNoSocket }

func sendWithFiles(io.Writer, []byte, []*os.File) error { return errNoSocket }
