package monitor

import (
	"slices"

	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// QEMU's providers of statistics are KVM and cryptographic devices. Of the one
// no machine without KVM knows anything; of the other it is known what would be
// counted, and this machine has no such devices to count for.

func (h *handlers) QueryStats(*qmp.Call, *api.StatsFilter) ([]api.StatsResult, error) {
	return []api.StatsResult{}, nil
}

func (h *handlers) QueryStatsSchemas(_ *qmp.Call, args *api.QueryStatsSchemasArgs) ([]api.StatsSchema, error) {
	if args.Provider != nil && *args.Provider != api.StatsProviderCryptodev {
		return []api.StatsSchema{}, nil
	}
	cryptodev := api.StatsSchema{Provider: api.StatsProviderCryptodev, Target: api.StatsTargetCryptodev}
	for _, unit := range []string{"bytes", "ops"} {
		for _, what := range []string{"asym-verify", "asym-sign", "asym-decrypt", "asym-encrypt"} {
			cryptodev.Stats = append(cryptodev.Stats, cumulative(what+"-"+unit))
		}
	}
	for _, unit := range []string{"bytes", "ops"} {
		for _, what := range []string{"sym-decrypt", "sym-encrypt"} {
			cryptodev.Stats = append(cryptodev.Stats, cumulative(what+"-"+unit))
		}
	}
	return []api.StatsSchema{cryptodev}, nil
}

func cumulative(name string) api.StatsSchemaValue {
	return api.StatsSchemaValue{Name: name, Type: api.StatsTypeCumulative}
}

// infoStats is info stats. There are no numbers to show.
func (h *handlers) infoStats(call *hmp.Call, args *hmp.Args) error {
	target, provider := api.StatsTarget(args.String("target")), api.StatsProvider(args.String("provider"))
	switch {
	case !slices.Contains(api.StatsTargetValues(), target):
		call.Printf("invalid stats target %s\n", target)
	case args.Has("provider") && !slices.Contains(api.StatsProviderValues(), provider):
		call.Printf("invalid stats provider %s\n", provider)
	}
	return nil
}
