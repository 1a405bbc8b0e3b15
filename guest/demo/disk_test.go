package demo

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// disk is a disk in memory that grows on writing.
type disk []byte

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	if end := int(at) + len(p); end > len(*d) {
		*d = append(*d, make([]byte, end-len(*d))...)
	}
	return copy((*d)[at:], p), nil
}

func formatted(t *testing.T, sectors uint64) disk {
	t.Helper()
	var d disk
	if err := FormatDisk(&d, sectors); err != nil {
		t.Fatal(err)
	}
	if uint64(len(d)) != sectors*SectorSize {
		t.Fatalf("formatted %d bytes, want %d sectors", len(d), sectors)
	}
	return d
}

func verify(t *testing.T, d disk, sectors uint64) Report {
	t.Helper()
	r, err := VerifyDisk(bytes.NewReader(d), sectors)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFormatThenVerify(t *testing.T) {
	for _, sectors := range []uint64{0, 1, 2, formatChunk - 1, formatChunk, formatChunk + 1, 1000} {
		r := verify(t, formatted(t, sectors), sectors)
		if want := (Report{Sectors: sectors, Host: sectors}); r != want || !r.OK() {
			t.Errorf("%d sectors: %+v", sectors, r)
		}
	}
}

func TestVerifyCorrupt(t *testing.T) {
	const sectors, hit = 300, 137
	for name, at := range map[string]int{
		"magic": OffsetMagic, "number": OffsetNumber, "generation": OffsetGeneration, "seed": OffsetSeed,
		"checksum": OffsetChecksum, "first of pattern": OffsetPattern, "last of pattern": SectorSize - 1,
	} {
		for bit := range 8 {
			d := formatted(t, sectors)
			d[hit*SectorSize+at] ^= 1 << bit
			r := verify(t, d, sectors)
			if want := (Report{Sectors: sectors, Host: sectors - 1, Bad: 1, FirstBad: hit}); r != want {
				t.Errorf("%s, bit %d: %+v", name, bit, r)
			}
		}
	}
}

func TestVerifySwappedSectors(t *testing.T) {
	d := formatted(t, 10)
	three := append([]byte(nil), d[3*SectorSize:4*SectorSize]...)
	copy(d[3*SectorSize:4*SectorSize], d[5*SectorSize:])
	copy(d[5*SectorSize:], three)
	if r := verify(t, d, 10); r.Bad != 2 || r.FirstBad != 3 {
		t.Errorf("%+v", r)
	}
}

// A wrong pattern under a right checksum cannot come from the guest.
func TestVerifyForgedPattern(t *testing.T) {
	d := formatted(t, 4)
	s := d[2*SectorSize : 3*SectorSize]
	s[OffsetPattern] ^= 1
	putWord(s, OffsetChecksum, Checksum(s))
	if r := verify(t, d, 4); r.Bad != 1 || r.FirstBad != 2 {
		t.Errorf("%+v", r)
	}
}

func TestVerifyBlank(t *testing.T) {
	if r := verify(t, make(disk, 8*SectorSize), 8); r.Bad != 8 || r.FirstBad != 0 {
		t.Errorf("%+v", r)
	}
}

// testdata/guest-sector.bin is sector 8192 of a disk, written by the guest on
// QEMU: the C and the Go side agree on the format.
func TestVerifyGuestSector(t *testing.T) {
	sector, err := os.ReadFile("testdata/guest-sector.bin")
	if err != nil {
		t.Fatal(err)
	}
	const number, sectors = 8192, 8200
	d := formatted(t, sectors)
	copy(d[number*SectorSize:], sector)
	r := verify(t, d, sectors)
	if want := (Report{Sectors: sectors, Host: sectors - 1, Guest: 1}); r != want {
		t.Errorf("%+v", r)
	}
	if word(sector, OffsetGeneration)>>63 != 1 {
		t.Error("a guest's generation has its highest bit set")
	}
}

func TestVerifyShortDisk(t *testing.T) {
	d := formatted(t, 200)
	r, err := VerifyDisk(bytes.NewReader(d[:150*SectorSize+7]), 200)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	if want := (Report{Sectors: 150, Host: 150}); r != want {
		t.Errorf("%+v", r)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) WriteAt([]byte, int64) (int, error) { return 0, errBroken }
func (broken) ReadAt([]byte, int64) (int, error)  { return 0, errBroken }

func TestDiskErrors(t *testing.T) {
	if err := FormatDisk(broken{}, 1); !errors.Is(err, errBroken) {
		t.Errorf("format: %v", err)
	}
	if _, err := VerifyDisk(broken{}, 1); !errors.Is(err, errBroken) {
		t.Errorf("verify: %v", err)
	}
}

func TestReportString(t *testing.T) {
	r := Report{Sectors: 4, Host: 1, Guest: 2, Bad: 1, FirstBad: 3}
	if got, want := r.String(), "4 sectors: 1 by the host, 2 by the guest, 1 bad (first: 3)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func BenchmarkVerifyDisk(b *testing.B) {
	var d disk
	if err := FormatDisk(&d, 2048); err != nil {
		b.Fatal(err)
	}
	r := bytes.NewReader(d)
	b.SetBytes(int64(len(d)))
	b.ReportAllocs()
	for b.Loop() {
		if report, err := VerifyDisk(r, 2048); err != nil || !report.OK() {
			b.Fatal(report, err)
		}
	}
}
