package launch

import "github.com/backplane-vm/backplane/qapi/api"

// commandLineOptions is the answer of query-command-line-options: the flags
// whose value is a list of options of fixed names, newest first as in QEMU.
func commandLineOptions() []api.CommandLineOptionInfo {
	type param struct {
		name string
		typ  api.CommandLineParameterType
	}
	const (
		text   = api.CommandLineParameterTypeString
		number = api.CommandLineParameterTypeNumber
		size   = api.CommandLineParameterTypeSize
		truth  = api.CommandLineParameterTypeBoolean
	)
	var list []api.CommandLineOptionInfo
	for _, o := range []struct {
		name   string
		params []param
	}{
		{"device", nil},
		{"memory", []param{{"size", size}, {"slots", number}, {"maxmem", size}}},
		{"name", []param{{"guest", text}}},
		{"add-fd", []param{{"opaque", text}, {"set", number}, {"fd", number}}},
		{"mon", []param{{"mode", text}, {"chardev", text}, {"pretty", truth}}},
		{"smp-opts", []param{{"cpus", number}, {"sockets", number}, {"cores", number}, {"threads", number}, {"maxcpus", number}}},
		{"machine", []param{{"type", text}, {"accel", text}}},
		{"drive", nil},
		{"chardev", []param{ // QEMU's order
			{"abstract", truth}, {"tight", truth}, {"logappend", truth}, {"logfile", text}, {"append", truth},
			{"chardevs.3", text}, {"chardevs.2", text}, {"chardevs.1", text}, {"chardevs.0", text}, {"chardev", text}, {"size", size},
			{"signal", truth}, {"mux", truth}, {"telnet", truth}, {"reconnect-ms", number}, {"reconnect", number}, {"nodelay", truth}, {"delay", truth},
			{"server", truth}, {"wait", truth}, {"ipv6", truth}, {"ipv4", truth}, {"to", number}, {"localport", text}, {"localaddr", text}, {"fd", text}, {"port", text},
			{"host", text}, {"input-path", text}, {"path", text}, {"backend", text},
		}},
	} {
		info := api.CommandLineOptionInfo{Option: o.name, Parameters: []api.CommandLineParameterInfo{}}
		for _, p := range o.params {
			info.Parameters = append(info.Parameters, api.CommandLineParameterInfo{Name: p.name, Type: p.typ})
		}
		list = append(list, info)
	}
	return list
}
