package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A fakeAsker answers from texts, and refuses what it has none for.
type fakeAsker map[string]string

func (f fakeAsker) Execute(_ context.Context, command string, _, result any) error {
	text, ok := f[command]
	if !ok {
		return qerr.Newc(qerr.CommandNotFound, "The command %s has not been found", command)
	}
	v, err := qobject.ParseJSON(text)
	if err != nil {
		return err
	}
	return qobject.Decode(v, result)
}

// recorded is the vocabulary of a QEMU 10.0 with the commands backplane has.
func recorded(t *testing.T) *vocabulary {
	return newVocabulary(fakeAsker{
		"query-qmp-schema":       file(t, "../../qapi/testdata/qmp-schema-10.0.json"),
		"device-list-properties": file(t, "testdata/virtio-blk-pci.json"),
		"qom-list-types":         `[{"name": "virtio-rng-pci"}, {"name": "virtio-blk-pci"}]`,
		"qom-list":               `[{"name": "type", "type": "string"}, {"name": "d0", "type": "child<virtio-blk-pci>"}]`,
	})
}

func TestComplete(t *testing.T) {
	v := recorded(t)
	small := newVocabulary(fakeAsker{"query-qmp-schema": tiny})
	for _, c := range []struct {
		v    *vocabulary
		line string
		want string // the choices with '|' behind each
	}{
		{v, "query-sta", "query-stats |query-stats-schemas |query-status |"},
		{v, "  query-statu", "query-status |"},
		{v, "he", "help |"},
		{v, "device", "device-list-properties |device-sync-config |device_add |device_del |"},
		{v, "help device_", "device_add |device_del |"},
		{v, "nothing", ""},
		{v, "nothing a", ""},
		{v, "query-status ", ""},
		{v, "device_del ", "id=|"},
		{v, "device_del id=", "id=d0 |"},
		{v, "device_del id=d0 ", ""},
		{v, "blockdev-add driver=null-c", "driver=null-co |"},
		{v, "blockdev-add re", "read-only=|"},
		{v, "blockdev-add driver=null-co re", "read-only=|read-zeroes=|"},
		{v, "blockdev-add driver=null-co read-zeroes=", "read-zeroes=off |read-zeroes=on |"},
		{v, "blockdev-add ca", "cache.|"},
		{v, "blockdev-add cache.", "cache.direct=|cache.no-flush=|"},
		{v, "blockdev-add cache.direct=on cache.", "cache.no-flush=|"},
		{v, "blockdev-add cache.direct=o", "cache.direct=off |cache.direct=on |"},
		{v, "blockdev-add driver=raw file", "file.|file=|"},
		{v, "blockdev-add driver=raw file.driver=file file.fi", "file.filename=|"},
		{v, "blockdev-add driver=null-co \"re\"", ""},
		{v, "device_add ", "bus=|driver=|id=|"},
		{v, "device_add driver=virtio-b", "driver=virtio-blk-pci |"},
		{v, "device_add driver=virtio-blk-pci num", "num-queues=|"},
		{v, "device_add driver=virtio-blk-pci ats=", "ats=off |ats=on |"},
		{v, "device_add driver=virtio-blk-pci disable-legacy=a", "disable-legacy=auto |"},
		{v, "help device_add driver=virtio-blk-pci num", "num-queues=|"},
		{v, "device-list-properties typename=virtio-r", "typename=virtio-rng-pci |"},
		{small, "do kind=x d", "deep.|depth=|"},
		{small, "do kind=x deep.deep.d", "deep.deep.deep.|deep.deep.depth=|"},
		{small, "do objects.", "objects.0.|"},
		{small, "do objects.0.depth=1 objects.", "objects.0.|objects.1.|"},
		{small, "do objects.0.depth=1 objects.1.de", "objects.1.deep.|objects.1.depth=|"},
		{small, "do list.", "list.0=|"},
		{small, "do enable=", "enable=off |enable=on |enable=ring |enable=x |enable=y |"},
		{small, "do s=5 ...", ""},
		{small, "do kind=ring k", ""},
		{newVocabulary(fakeAsker{}), "query-", ""},
	} {
		got, err := c.v.complete(t.Context(), c.line)
		var text strings.Builder
		for _, choice := range got.choices {
			text.WriteString(choice + "|")
		}
		if text.String() != c.want || err != nil {
			t.Errorf("%q: %q, %v", c.line, text.String(), err)
		}
		if len(got.choices) > 0 && !strings.HasPrefix(got.common(), c.line[got.start:]) {
			t.Errorf("%q: it would become %q", c.line, got.common())
		}
	}
}

func TestCompleteInQuotes(t *testing.T) {
	if c, err := recorded(t).complete(t.Context(), "blockdev-add 'driver=nu"); !errors.Is(err, errQuote) || c.choices != nil {
		t.Errorf("%v, %v", c, err)
	}
}

func TestExplain(t *testing.T) {
	v := recorded(t)
	for _, c := range []struct {
		words string
		parts []string
	}{
		{"", []string{"Tab completes", "Commands of this server:", "query-status"}},
		{"query-status", []string{"query-status\n", "  returns {running, status}\n"}},
		{"device_del", []string{"device_del\n", "  id                       str\n"}},
		{"DEVICE_DELETED", []string{"DEVICE_DELETED (event)\n", "  device                   str, optional\n", "path"}},
		{"blockdev-add", []string{"driver", "|null-aio|null-co|", "cache", "{direct, no-flush}, optional", "more with driver given"}},
		{"blockdev-add driver=raw file.driver=null-co", []string{"offset", "int, optional", "file.driver", "file.read-zeroes"}},
		{"device_add driver=virtio-blk-pci", []string{"driver", "ats", "bool, optional (on/off)", "drive", "str, optional"}},
		{"query-cpus-fast", []string{"returns list of {"}},
	} {
		text, err := v.explain(t.Context(), strings.Fields(c.words), 80)
		if err != nil {
			t.Errorf("help %s: %v", c.words, err)
		}
		for _, part := range c.parts {
			if !strings.Contains(text, part) {
				t.Errorf("help %s: no %q in\n%s", c.words, part, text)
			}
		}
	}
	text, err := newVocabulary(fakeAsker{"query-qmp-schema": tiny}).explain(t.Context(), []string{"do"}, 80)
	for _, part := range []string{"{depth, deep} or str", "list of {depth, deep}", "bool or x|y|ring", "int or list", "any\n"} {
		if err != nil || !strings.Contains(text, part) {
			t.Errorf("help do: no %q in\n%s, %v", part, text, err)
		}
	}
	for _, words := range []string{"nothing", "device_add x"} {
		if text, err := v.explain(t.Context(), strings.Fields(words), 80); err == nil {
			t.Errorf("help %s: %s", words, text)
		}
	}
}

func TestColumns(t *testing.T) {
	words := []string{"a", "bb", "ccc", "d", "e"}
	for _, c := range []struct {
		width int
		want  string
	}{
		{0, "a\nbb\nccc\nd\ne\n"},
		{11, "a    d\nbb   e\nccc\n"},
		{100, "a    bb   ccc  d    e\n"},
	} {
		if got := columns(slices.Clone(words), c.width); got != c.want {
			t.Errorf("%d wide:\n%s", c.width, got)
		}
	}
}
