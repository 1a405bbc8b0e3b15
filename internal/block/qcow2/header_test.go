package qcow2

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/coro"
)

// blank is an empty image of 1 MiB, version 3, with clusters of 64 KiB: the
// header, the table of counts, their block, the L1 table.
func blank() *memory {
	m := &memory{left: -1}
	run(func(co *coro.Co) {
		if err := Create(co, m, 1<<20); err != nil {
			panic(err)
		}
	})
	return m
}

// The words for what QEMU refuses too were recorded from QEMU 7.2.22.
func TestRefused(t *testing.T) {
	const dataBit, l2Bit = "\x00\x00\x00\x00\x00\x00\x00\x04", "\x00\x00\x00\x00\x00\x00\x00\x10"
	for _, c := range []struct {
		at    int
		bytes string
		want  string
		ro    string // if it is another for a read-only image
	}{
		{0, "XFI", "Image is not in qcow2 format", ""},
		{4, "\x00\x00\x00\x04", "Unsupported qcow2 version 4", ""},
		{4, "\x00\x00\x00\x01", "Unsupported qcow2 version 1", ""},
		{20, "\x00\x00\x00\x08", "Unsupported cluster size: 2^8", ""},
		{20, "\x00\x00\x00\x16", "Unsupported cluster size: 2^22", ""},
		{20, "\xff\xff\xff\xff", "Unsupported cluster size: 2^4294967295", ""},
		{32, "\x00\x00\x00\x07", "Unsupported encryption method 7", ""},
		{32, "\x00\x00\x00\x02", "Encrypted images are not supported by this build", ""},
		{72, "\x80\x00\x00\x00\x00\x00\x00\x00", "Unsupported qcow2 feature(s): Unknown incompatible feature: 8000000000000000", ""},
		{72, l2Bit, "Unsupported qcow2 feature(s): Unknown incompatible feature: 10", ""},
		{72, "\x00\x00\x00\x00\x00\x00\x00\x01", "Could not repair dirty image: repairs are not supported by this build", "-"},
		{72, "\x00\x00\x00\x00\x00\x00\x00\x02", "qcow2: Image is corrupt; cannot be opened read/write", "-"},
		{72, dataBit, "'data-file' is required for this image", ""},
		{88, "\x00\x00\x00\x00\x00\x00\x00\x01", "Writing to images with persistent bitmaps is not supported by this build", "-"},
		{96, "\x00\x00\x00\x07", "Reference count entry width too large; may not exceed 64 bits", ""},
		{100, "\x00\x00\x00\x08", "qcow2 header too short", ""},
		{100, "\x00\x02\x00\x08", "qcow2 header exceeds cluster size", ""},
		{8, "\x00\x00\x00\x00\x00\x01\x00\x01", "Invalid backing file offset", ""},
		{8, "\x00\x00\x00\x00\x00\x00\x01\x00", "Backing files are not supported by this build", ""},
		{60, "\x00\x00\x00\x01", "Images with internal snapshots are not supported by this build", ""},
		{36, "\x00\x00\x00\x00", "L1 table is too small", ""},
		{36, "\xff\xff\xff\xff", "Active L1 table too large", ""},
		{24, "\xff\xff\xff\xff\xff\xff\xff\xff", "Image is too big", ""},
		{40, "\x00\x00\x00\x00\x00\x03\x00\x01", "Active L1 table offset invalid", ""},
		{40, "\xff\xff\xff\xff\xff\xff\x00\x00", "Active L1 table offset invalid", ""},
		{48, "\x00\x00\x00\x00\x00\x03\x00\x01", "Reference count table offset invalid", ""},
		{56, "\x00\x00\x00\x00", "Image does not contain a reference count table", ""},
		{56, "\x00\x00\xff\xff", "Reference count table too large", ""},
	} {
		for _, ro := range []bool{false, true} {
			m := blank()
			m.left = 0
			copy(m.data[c.at:], c.bytes)
			want := c.want
			if ro && c.ro != "" {
				want = ""
			}
			run(func(co *coro.Co) {
				_, err := Open(co, m, Options{ReadOnly: ro})
				if got := text(err); got != want {
					t.Errorf("%d %q, read-only %v: %q, want %q", c.at, c.bytes, ro, got, want)
				}
			})
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Features are called what the image calls them.
func TestFeatureNames(t *testing.T) {
	m := blank()
	be := binary.BigEndian
	be.PutUint64(m.data[72:], 1<<4|1<<9)
	be.PutUint32(m.data[104:], extFeatureTable)
	be.PutUint32(m.data[108:], 96)
	m.data[112+1] = 4
	copy(m.data[114:], "extended L2 entries")
	m.data[160], m.data[161] = 1, 9 // a compatible one
	copy(m.data[162:], "not this")
	run(func(co *coro.Co) {
		_, err := Open(co, m, Options{})
		if want := "Unsupported qcow2 feature(s): extended L2 entries, Unknown incompatible feature: 200"; text(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

// Who writes an image clears the flags of features that he does not know.
func TestAutoclear(t *testing.T) {
	m := blank()
	m.data[88] = 0x80
	open(t, m, Options{ReadOnly: true})
	if m.data[88] != 0x80 {
		t.Error("cleared without need")
	}
	open(t, m, Options{})
	if m.data[88] != 0 {
		t.Error("not cleared")
	}
}

// An image that contradicts itself is marked, and takes no more writes.
func TestContradictions(t *testing.T) {
	be := binary.BigEndian
	l2 := func(m *memory, entry uint64) { // an L2 table behind all else
		be.PutUint64(m.data[3<<16:], 4<<16|copied)
		be.PutUint16(m.data[2<<16+8:], 1)
		m.data = append(m.data, make([]byte, 1<<16)...)
		be.PutUint64(m.data[4<<16:], entry)
	}
	for name, c := range map[string]struct {
		change    func(m *memory)
		read      error // the write fails with EIO, always
		unmarked  bool
		writeOnly bool
	}{
		"L2 table nowhere":            {change: func(m *memory) { be.PutUint64(m.data[3<<16:], 4<<16+512|copied) }, read: syscall.EIO},
		"L2 table is the header":      {change: func(m *memory) { l2(m, 0); be.PutUint64(m.data[3<<16:], 1<<16|copied) }},
		"L2 table used twice":         {change: func(m *memory) { l2(m, 0); be.PutUint64(m.data[3<<16:], 4<<16); be.PutUint16(m.data[2<<16+8:], 2) }},
		"cluster nowhere":             {change: func(m *memory) { l2(m, 5<<16+512|copied) }, read: syscall.EIO},
		"cluster is the L1 table":     {change: func(m *memory) { l2(m, 3<<16|copied) }},
		"cluster is a refcount block": {change: func(m *memory) { l2(m, 2<<16|copied) }},
		"cluster not counted":         {change: func(m *memory) { l2(m, 5<<16) }},
		"header not counted":          {change: func(m *memory) { clear(m.data[2<<16 : 3<<16]) }},
		"refcount block nowhere":      {change: func(m *memory) { be.PutUint64(m.data[1<<16:], 2<<16+512) }},
		"zero cluster in version 2":   {change: func(m *memory) { m.data[7] = 2; l2(m, zeroFlag) }, read: syscall.EIO, unmarked: true},
	} {
		m := blank()
		c.change(m)
		im := open(t, m, Options{})
		run(func(co *coro.Co) {
			if err := im.ReadAt(co, make([]byte, 512), 0); c.read == nil && err != nil || !errors.Is(err, c.read) {
				t.Errorf("%s: read: %v, want %v", name, err, c.read)
			}
			for range 2 {
				if err := im.WriteAt(co, make([]byte, 512), 0); !errors.Is(err, syscall.EIO) {
					t.Errorf("%s: write: %v", name, err)
				}
			}
			if err := im.Truncate(co, 512); err == nil {
				t.Errorf("%s: resized", name)
			}
			if err := im.Flush(co); !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: flush: %v", name, err)
			}
		})
		if marked := m.data[79]&incompatCorrupt != 0; marked == c.unmarked || !im.Info().Corrupt {
			t.Errorf("%s: marked %v", name, marked)
		}
	}
}

func TestCompressedCluster(t *testing.T) {
	m := blank()
	binary.BigEndian.PutUint64(m.data[3<<16:], 4<<16|copied)
	binary.BigEndian.PutUint16(m.data[2<<16+8:], 1)
	m.data = append(m.data, make([]byte, 1<<16)...)
	binary.BigEndian.PutUint64(m.data[4<<16:], compressed|5<<16)
	im := open(t, m, Options{})
	run(func(co *coro.Co) {
		for what, err := range map[string]error{
			"read": im.ReadAt(co, make([]byte, 1), 0), "write": im.WriteAt(co, make([]byte, 1), 0), "shrink": im.Truncate(co, 0),
		} {
			if err == nil || what != "shrink" && !errors.Is(err, syscall.ENOTSUP) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := im.WriteAt(co, make([]byte, 512), 1<<16); err != nil {
			t.Errorf("another cluster: %v", err)
		}
	})
}

// Past the end of the disk are zeroes, and no space.
func TestPastTheEnd(t *testing.T) {
	im := open(t, blank(), Options{})
	run(func(co *coro.Co) {
		p := []byte("zeroes after the first two")
		for _, off := range []int64{1<<20 - 2, 1 << 20, 1 << 40} {
			if err := im.WriteAt(co, p, off); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("write at %d: %v", off, err)
			}
			if err := im.ReadAt(co, p, off); err != nil || p[2] != 0 || p[len(p)-1] != 0 {
				t.Errorf("read at %d: %v, %q", off, err, p)
			}
		}
	})
}

func TestResizeRefused(t *testing.T) {
	for size, want := range map[int64]string{
		1000:                "The new size must be a multiple of 512",
		1 << 62:             "Failed to grow the L1 table: File too large",
		9223372035781033984: "Failed to grow the L1 table: File too large",
	} {
		im := open(t, blank(), Options{})
		run(func(co *coro.Co) {
			if err := im.Truncate(co, size); text(err) != want {
				t.Errorf("%d: %v, want %s", size, err, want)
			}
		})
	}
}

// Whatever is in the tables: no panic, no endless work, no write past what the
// file can take.
func FuzzImage(f *testing.F) {
	m := blank()
	f.Add(m.data[:112], m.data[1<<16:1<<16+64], m.data[2<<16:2<<16+64], m.data[3<<16:3<<16+64])
	small := blank()
	small.data[23] = 9
	f.Add(small.data[:112], []byte{0, 0, 0, 0, 0, 0, 4, 0}, []byte{0, 1, 0, 1, 0, 1}, []byte{0x80, 0, 0, 0, 0, 0, 6, 0})
	f.Fuzz(func(t *testing.T, header, counts, block, l1 []byte) {
		if len(header) < 24 {
			return
		}
		m := &memory{left: 500, limit: 1 << 22}
		bits := header[23]
		for i, p := range [][]byte{header, counts, block, l1} { // where clusters of that size begin
			at := int64(i) << min(bits, 17)
			m.data = (&operation{off: at, p: p[:min(len(p), 1<<16)]}).apply(m.data)
		}
		run(func(co *coro.Co) {
			for _, ro := range []bool{true, false} {
				im, err := Open(co, m, Options{ReadOnly: ro})
				if err != nil {
					continue
				}
				p := make([]byte, 3000)
				for _, at := range []int64{0, 1 << 16, im.Length() / 2, im.Length() - int64(len(p))} {
					if at < 0 || at+int64(len(p)) > im.Length() {
						continue
					}
					_ = im.ReadAt(co, p, at)
					if !ro && im.WriteAt(co, p, at) == nil {
						q := make([]byte, len(p))
						if err := im.ReadAt(co, q, at); err != nil {
							t.Errorf("written and not readable: %v", err)
						}
					}
				}
				if !ro {
					_ = im.Flush(co)
					_ = im.Truncate(co, im.Length()/1024*512)
					_ = im.Truncate(co, im.Length()+1<<20)
					_ = im.Flush(co)
				}
			}
		})
	})
}
