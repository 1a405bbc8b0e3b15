package authz

import (
	"os"
	"sync"

	"github.com/backplane-vm/backplane/internal/hostfile"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// maxFile bounds a file of rules: thousands of names, and no device file that
// never ends.
const maxFile = 1 << 20

// A File is a [List] in a file, as a JSON object.
type File struct {
	name    string
	refresh bool

	mu   sync.Mutex
	list *List
	read os.FileInfo // of what list was read from
}

// OpenFile reads the file. With refresh it is read again, whenever it is asked
// for a decision and has changed; while it cannot be read nobody is allowed.
func OpenFile(name string, refresh bool) (*File, error) {
	f := &File{name: name, refresh: refresh}
	return f, f.load()
}

// Name returns where the file is.
func (f *File) Name() string { return f.name }

// Refresh reports whether the file is read again.
func (f *File) Refresh() bool { return f.refresh }

// Allowed implements [Authorizer]. It may block to read the file.
func (f *File) Allowed(identity string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refresh && f.changed() {
		if err := f.load(); err != nil {
			f.read = nil
			return false, err
		}
	}
	return f.list.Allowed(identity)
}

// changed reports whether the file is another one, or has other contents, than
// when it was read.
func (f *File) changed() bool {
	now, err := os.Stat(f.name)
	return err != nil || f.read == nil || !os.SameFile(now, f.read) ||
		now.Size() != f.read.Size() || !now.ModTime().Equal(f.read.ModTime())
}

func (f *File) load() error {
	text, info, err := hostfile.Read(f.name, maxFile)
	if err != nil {
		return qerr.New("Unable to read '%s': Failed to open file “%s”: %s", f.name, f.name, qerr.Reason(err))
	}
	v, err := qobject.ParseJSON(string(text))
	if err != nil {
		return err
	}
	if _, ok := v.(*qobject.Dict); !ok {
		return qerr.New("File '%s' must contain a JSON object", f.name)
	}
	in := visit.New(v, visit.JSON)
	list := DecodeList(in)
	if err := in.Err(); err != nil {
		return err
	}
	f.list, f.read = list, info
	return nil
}
