package monitor

import (
	"slices"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// humanActions are human commands that do what a command of QMP does.
func (h *handlers) humanActions() hmp.Handlers[*coro.Co] {
	job := func(f func(device string) error) hmp.Handler[*coro.Co] {
		return hmp.Handler[*coro.Co]{Run: func(_ *hmp.Call, args *hmp.Args) error { return f(args.String("device")) }}
	}
	return hmp.Handlers[*coro.Co]{
		"object_add": {Run: h.humanObjectAdd, Complete: completeObjectType},
		"object_del": {Run: func(_ *hmp.Call, args *hmp.Args) error {
			return h.ObjectDel(nil, &api.ObjectDelArgs{Id: args.String("id")})
		}, Complete: h.completeObject},
		"dump-guest-memory": {RunCo: h.humanDump},
		"dumpdtb":           {Run: h.humanDumpDTB},
		"set_vcpu_dirty_limit": {Run: func(*hmp.Call, *hmp.Args) error {
			return h.SetVcpuDirtyLimit(nil, nil)
		}},
		"cancel_vcpu_dirty_limit": {Run: func(call *hmp.Call, _ *hmp.Args) error {
			call.Printf("[Please use 'info vcpu_dirty_limit' to query dirty limit for virtual CPU]\n")
			return h.CancelVcpuDirtyLimit(nil, nil)
		}},
		"watchdog_action":    {Run: h.humanWatchdogAction, Complete: completeWatchdogAction},
		"block_job_pause":    job(func(d string) error { return h.BlockJobPause(nil, &api.BlockJobPauseArgs{Device: d}) }),
		"block_job_resume":   job(func(d string) error { return h.BlockJobResume(nil, &api.BlockJobResumeArgs{Device: d}) }),
		"block_job_complete": job(func(d string) error { return h.BlockJobComplete(nil, &api.BlockJobCompleteArgs{Device: d}) }),
		"block_job_cancel": {Run: func(_ *hmp.Call, args *hmp.Args) error {
			force := args.Bool("force")
			return h.BlockJobCancel(nil, &api.BlockJobCancelArgs{Device: args.String("device"), Force: &force})
		}},
		"block_job_set_speed": {Run: func(_ *hmp.Call, args *hmp.Args) error {
			return h.BlockJobSetSpeed(nil, &api.BlockJobSetSpeedArgs{Device: args.String("device"), Speed: args.Int("speed")})
		}},
	}
}

func (h *handlers) humanDumpDTB(call *hmp.Call, args *hmp.Args) error {
	name := args.String("filename")
	if err := h.Dumpdtb(nil, &api.DumpdtbArgs{Filename: name}); err != nil {
		return err
	}
	call.Printf("DTB dumped to '%s'\n", name)
	return nil
}

func (h *handlers) humanObjectAdd(call *hmp.Call, args *hmp.Args) error {
	d, json, help, err := opts.ParseObject(args.String("object"), "qom-type")
	if err != nil {
		return err
	}
	if kind, _ := d.Get("qom-type"); help || kind == "help" {
		call.Printf("%s", ObjectHelp())
		return nil
	}
	flavour := visit.Keyval
	if json {
		flavour = visit.JSON
	}
	in := visit.New(d, flavour)
	o := api.DecodeObjectOptions(in)
	if err := in.Err(); err != nil {
		return err
	}
	return AddObject(h.m, &o)
}

// ObjectHelp is the text of "object_add help": what objects there are.
func ObjectHelp() string {
	text := "List of user creatable objects:\n"
	for _, name := range completeObjectType([]string{""}) {
		text += "  " + name + "\n"
	}
	return text
}

func completeObjectType(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	var names []string
	for _, t := range api.ObjectTypeValues() {
		names = append(names, string(t))
	}
	slices.Sort(names)
	return names
}

func (h *handlers) completeObject(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	var ids []string
	for o := range objects(h.m).Children() {
		ids = append(ids, o.Name())
	}
	return ids
}

// humanDump is dump-guest-memory. QEMU has one flag a format.
func (h *handlers) humanDump(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
	formats := map[string][2]api.DumpGuestMemoryFormat{
		"zlib":   {api.DumpGuestMemoryFormatKdumpZlib, api.DumpGuestMemoryFormatKdumpRawZlib},
		"lzo":    {api.DumpGuestMemoryFormatKdumpLzo, api.DumpGuestMemoryFormatKdumpRawLzo},
		"snappy": {api.DumpGuestMemoryFormatKdumpSnappy, api.DumpGuestMemoryFormatKdumpRawSnappy},
		"windmp": {api.DumpGuestMemoryFormatWinDmp, api.DumpGuestMemoryFormatWinDmp},
	}
	raw, chosen, format := 0, 0, api.DumpGuestMemoryFormatElf
	if args.Bool("raw") {
		raw = 1
	}
	for flag, f := range formats {
		if args.Bool(flag) {
			chosen, format = chosen+1, f[raw]
		}
	}
	if chosen > 1 {
		return qerr.New("only one of '-z|-l|-s|-w' can be set")
	}
	detach := args.Bool("detach")
	a := &api.DumpGuestMemoryArgs{
		Paging: args.Bool("paging"), Protocol: "file:" + args.String("filename"), Detach: &detach, Format: &format,
	}
	if args.Has("begin") {
		begin := args.Int("begin")
		a.Begin = &begin
	}
	if args.Has("length") {
		length := args.Int("length")
		a.Length = &length
	}
	return h.DumpGuestMemory(co, nil, a)
}

func (h *handlers) humanWatchdogAction(_ *hmp.Call, args *hmp.Args) error {
	action := api.WatchdogAction(args.String("action"))
	if !slices.Contains(api.WatchdogActionValues(), action) {
		return qerr.New("invalid parameter value: %s", action)
	}
	return h.WatchdogSetAction(nil, &api.WatchdogSetActionArgs{Action: action})
}

func completeWatchdogAction(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	var names []string
	for _, a := range api.WatchdogActionValues() {
		names = append(names, string(a))
	}
	return names
}
