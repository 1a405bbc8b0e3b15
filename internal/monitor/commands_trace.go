package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/trace"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// TraceEventGetState implements api.Commands.
func (h *handlers) TraceEventGetState(_ *qmp.Call, args *api.TraceEventGetStateArgs) ([]api.TraceEventInfo, error) {
	states, err := h.m.Log.States(args.Name)
	list := make([]api.TraceEventInfo, 0, len(states))
	for _, s := range states {
		info := api.TraceEventInfo{Name: s.Name, State: api.TraceEventStateDisabled}
		if s.Enabled {
			info.State = api.TraceEventStateEnabled
		}
		list = append(list, info)
	}
	return list, err
}

// TraceEventSetState implements api.Commands.
func (h *handlers) TraceEventSetState(_ *qmp.Call, args *api.TraceEventSetStateArgs) error {
	return h.m.Log.SetState(args.Name, args.Enable)
}

// humanLog are the human commands for the log and for trace events.
func (h *handlers) humanLog() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"log": {Run: h.humanLogItems, Complete: completeLogItem},
		"logfile": {Run: func(call *hmp.Call, args *hmp.Args) error {
			plainError(call, h.m.Log.SetFile(args.String("filename")))
			return nil
		}},
		"trace-event":       {Run: h.humanTraceEvent, Complete: h.completeTraceEvent},
		"info trace-events": {Run: h.infoTraceEvents, Complete: h.completeTraceEvent},
	}
}

// plainError shows an error without the word Error, as QEMU does where it does not
// come from a command's handler.
func plainError(call *hmp.Call, err error) {
	if e := qerr.From(err); e != nil {
		call.Printf("%s\n%s", e.Desc, e.Hint)
	}
}

func (h *handlers) humanLogItems(call *hmp.Call, args *hmp.Args) error {
	list := args.String("items")
	if list == "trace:help" {
		states, err := h.m.Log.States("*")
		for i := len(states) - 1; i >= 0; i-- {
			call.Printf("%s\n", states[i].Name)
		}
		return err
	}
	known, err := h.m.Log.Select(list)
	if !known {
		call.Printf("%s", trace.Help())
	}
	return err
}

func (h *handlers) humanTraceEvent(call *hmp.Call, args *hmp.Args) error {
	name := args.String("name")
	if args.Has("vcpu") {
		plainError(call, notOfCPUs(name))
		return nil
	}
	plainError(call, h.TraceEventSetState(nil, &api.TraceEventSetStateArgs{Name: name, Enable: args.Bool("option")}))
	return nil
}

func (h *handlers) infoTraceEvents(call *hmp.Call, args *hmp.Args) error {
	name := "*"
	if args.Has("name") {
		name = args.String("name")
	}
	if args.Has("vcpu") {
		plainError(call, notOfCPUs(name))
		return nil
	}
	list, err := h.TraceEventGetState(nil, &api.TraceEventGetStateArgs{Name: name})
	for _, e := range list {
		state := 0
		if e.State == api.TraceEventStateEnabled {
			state = 1
		}
		call.Printf("%s : state %d\n", e.Name, state)
	}
	plainError(call, err)
	return nil
}

// notOfCPUs refuses to switch an event for one CPU: there is none of which QEMU
// could.
func notOfCPUs(name string) error { return qerr.New("event \"%s\" is not vCPU-specific", name) }

func completeLogItem(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	return []string{"help", "none", "int", "invalid_mem", "trace:"}
}

func (h *handlers) completeTraceEvent(args []string) (names []string) {
	if len(args) == 2 {
		return []string{"on", "off"}
	}
	states, err := h.m.Log.States("*")
	if err != nil || len(args) > 2 {
		return nil
	}
	for _, s := range states {
		names = append(names, s.Name)
	}
	return names
}
