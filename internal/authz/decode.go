package authz

import (
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// DecodePolicy decodes a policy.
func DecodePolicy(v visit.Value) Policy { return visit.Enum(v, []Policy{Deny, Allow}) }

func decodeFormat(v visit.Value) Format { return visit.Enum(v, []Format{Exact, Glob}) }

// DecodeRule decodes a rule, a QAuthZListRule of QEMU's schema.
func DecodeRule(v visit.Value) (r Rule) {
	o := v.Object()
	r.Match = o.Need("match").Str()
	r.Policy = DecodePolicy(o.Need("policy"))
	if f := visit.Optional(o, "format", decodeFormat); f != nil {
		r.Format = *f
	}
	o.Close()
	return r
}

// DecodeList decodes the properties of a list.
func DecodeList(v visit.Value) *List {
	o, l := v.Object(), &List{Policy: Deny}
	if p := visit.Optional(o, "policy", DecodePolicy); p != nil {
		l.Policy = *p
	}
	l.Rules = visit.OptionalList(o, "rules", DecodeRule)
	o.Close()
	return l
}

// QObject returns the rule as a value.
func (r *Rule) QObject() any {
	d := qobject.Members("match", r.Match, "policy", string(r.Policy))
	if r.Format != "" {
		d.Set("format", string(r.Format))
	}
	return d
}
