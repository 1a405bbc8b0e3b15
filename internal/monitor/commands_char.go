package monitor

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) QueryChardev(*qmp.Call) ([]api.ChardevInfo, error) {
	devices := map[string]chardev.Info{}
	var labels []string
	for _, c := range h.s.config.Chardevs.Info() {
		devices[c.Label], labels = c, append(labels, c.Label)
	}
	list := []api.ChardevInfo{}
	for _, label := range qom.ListOrder(labels) {
		c := devices[label]
		list = append(list, api.ChardevInfo{Label: label, Filename: c.Filename, FrontendOpen: c.Open})
	}
	return list, nil
}

func (h *handlers) QueryChardevBackends(*qmp.Call) ([]api.ChardevBackendInfo, error) {
	list := []api.ChardevBackendInfo{}
	for _, name := range chardev.Backends() {
		list = append(list, api.ChardevBackendInfo{Name: name})
	}
	return list, nil
}

// ChardevAdd may wait for a server or for a client. It does so on a thread of
// its own: nothing else waits with it, and chardev-remove, x-cancel or the end of
// the client end it.
func (h *handlers) ChardevAdd(co *coro.Co, call *qmp.Call, args *api.ChardevAddArgs) (*api.ChardevReturn, error) {
	if h.s.config.Chardevs.Has(args.Id) {
		return nil, chardev.Exists(args.Id)
	}
	c, err := chardevConfig(args.Id, &args.Backend)
	if err == nil {
		err = c.Resolve(namedFDs(holding(call)))
	}
	if err != nil {
		return nil, chardev.NotAdded(args.Id, err)
	}
	var pty string
	gaveUp := h.blockUntil(co, call, "chardev-add", func(ctx context.Context) { pty, err = h.s.config.Chardevs.Add(ctx, c) })
	switch {
	case err != nil && gaveUp != nil:
		return nil, gaveUp
	case err != nil:
		return nil, chardev.NotAdded(args.Id, err)
	}
	return &api.ChardevReturn{Pty: optional(pty)}, nil
}

func (h *handlers) ChardevChange(co *coro.Co, call *qmp.Call, args *api.ChardevChangeArgs) (*api.ChardevReturn, error) {
	if !h.s.config.Chardevs.Has(args.Id) {
		return nil, qerr.New("Chardev '%s' does not exist", args.Id)
	}
	c, err := chardevConfig(args.Id, &args.Backend)
	if err == nil {
		err = c.Resolve(namedFDs(holding(call)))
	}
	if err != nil {
		return nil, chardev.NotAdded(args.Id, err)
	}
	var pty string
	gaveUp := h.blockUntil(co, call, "chardev-change", func(ctx context.Context) { pty, err = h.s.config.Chardevs.Change(ctx, args.Id, c) })
	switch {
	case err != nil && gaveUp != nil:
		return nil, gaveUp
	case err != nil:
		return nil, err
	}
	return &api.ChardevReturn{Pty: optional(pty)}, nil
}

func (h *handlers) ChardevRemove(co *coro.Co, _ *qmp.Call, args *api.ChardevRemoveArgs) error {
	return h.chardevRemove(co, args.Id)
}

// chardevRemove yields until the device's threads have ended, which nothing
// delays.
func (h *handlers) chardevRemove(co *coro.Co, id string) (err error) {
	if err := co.Err(); err != nil {
		return err
	}
	h.block(co, "chardev-remove", func() { err = h.s.config.Chardevs.Remove(id) })
	return err
}

func (h *handlers) ChardevSendBreak(_ *qmp.Call, args *api.ChardevSendBreakArgs) error {
	return h.s.config.Chardevs.SendBreak(args.Id)
}

func (h *handlers) RingbufWrite(_ *qmp.Call, args *api.RingbufWriteArgs) error {
	ring, err := h.s.config.Chardevs.Ring(args.Device)
	if err != nil {
		return err
	}
	data := []byte(args.Data)
	if args.Format != nil && *args.Format == api.DataFormatBase64 {
		if data, err = base64.StdEncoding.DecodeString(args.Data); err != nil || strings.ContainsAny(args.Data, "\r\n") {
			return qerr.New("Base64 data contains invalid characters")
		}
	}
	_, _ = ring.Write(data) // a Ring takes everything
	return nil
}

func (h *handlers) RingbufRead(_ *qmp.Call, args *api.RingbufReadArgs) (string, error) {
	data, err := h.ringRead(args.Device, args.Size)
	if err != nil {
		return "", err
	}
	if args.Format != nil && *args.Format == api.DataFormatBase64 {
		return base64.StdEncoding.EncodeToString(data), nil
	}
	text, _, _ := strings.Cut(string(data), "\x00") // QEMU's strings end there
	return text, nil
}

func (h *handlers) ringRead(device string, size int64) ([]byte, error) {
	ring, err := h.s.config.Chardevs.Ring(device)
	switch {
	case err != nil:
		return nil, err
	case size <= 0:
		return nil, qerr.New("size must be greater than zero")
	}
	return ring.Take(int(min(size, int64(ring.Len())))), nil
}

// Redirected is what QEMU prints when it has made a pseudo terminal.
func Redirected(pty, id string) string {
	return "char device redirected to " + pty + " (label " + id + ")"
}
