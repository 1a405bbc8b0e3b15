package backend

import (
	"github.com/backplane-vm/backplane/internal/authz"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

const (
	authzType         = "authz"
	authzSimpleType   = "authz-simple"
	authzListType     = "authz-list"
	authzListFileType = "authz-list-file" // whose name in the schema is authz-listfile
)

// Authz decides who may come in. Its rules can be changed while it is in use.
type Authz struct {
	qom.Object
	by authz.Authorizer
}

// By returns who decides now, for use without the BQL.
func (a *Authz) By() authz.Authorizer { return a.by }

// NewAuthzSimple allows one identity.
func NewAuthzSimple(identity string) *Authz {
	return newAuthz(authzSimpleType, simpleClass(), authz.Name(identity))
}

// NewAuthzList has the rules of the list.
func NewAuthzList(list *authz.List) *Authz { return newAuthz(authzListType, listClass(), list) }

// NewAuthzListFile has the rules of a file; see [authz.OpenFile].
func NewAuthzListFile(filename string, refresh bool) (*Authz, error) {
	f, err := authz.OpenFile(filename, refresh)
	if err != nil {
		return nil, err
	}
	return newAuthz(authzListFileType, listFileClass(), f), nil
}

func newAuthz(typ string, class properties, by authz.Authorizer) *Authz {
	a := &Authz{by: by}
	a.Init(typ, a, class, nil)
	return a
}

func simpleClass() properties {
	return properties{{
		Name: "identity", Type: "string",
		Get: func(o *qom.Object) (any, error) { return string(o.Self().(*Authz).by.(authz.Name)), nil },
		Set: func(o *qom.Object, in qom.Input) error {
			s, err := in.Str("identity")
			if err == nil {
				o.Self().(*Authz).by = authz.Name(s)
			}
			return err
		},
	}}
}

func listClass() properties {
	list := func(o *qom.Object) *authz.List { return o.Self().(*Authz).by.(*authz.List) }
	// set replaces the list, which connections may be looking at, by one in which
	// one member is what came in.
	set := func(name string, change func(to, from *authz.List)) func(*qom.Object, qom.Input) error {
		return func(o *qom.Object, in qom.Input) error {
			from := visit.New(qobject.Members(name, in.Value), visit.JSON)
			l := authz.DecodeList(from)
			if err := from.Err(); err != nil {
				return err
			}
			now := *list(o)
			change(&now, l)
			o.Self().(*Authz).by = &now
			return nil
		}
	}
	return properties{
		{
			Name: "policy", Type: "QAuthZListPolicy",
			Get: func(o *qom.Object) (any, error) { return string(list(o).Policy), nil },
			Set: set("policy", func(to, from *authz.List) { to.Policy = from.Policy }),
		},
		{
			Name: "rules", Type: "QAuthZListRule",
			Get: func(o *qom.Object) (any, error) {
				return visit.EncodeList(list(o).Rules, (*authz.Rule).QObject), nil
			},
			Set: set("rules", func(to, from *authz.List) { to.Rules = from.Rules }),
		},
	}
}

func listFileClass() properties {
	file := func(o *qom.Object) *authz.File { return o.Self().(*Authz).by.(*authz.File) }
	return properties{
		{Name: "filename", Type: "string", Get: func(o *qom.Object) (any, error) { return file(o).Name(), nil }},
		{Name: "refresh", Type: "bool", Get: func(o *qom.Object) (any, error) { return file(o).Refresh(), nil }},
	}
}

// securityTypes are the types of this file and of tls.go.
func securityTypes() []qom.Type {
	return []qom.Type{
		{Name: tlsType, Parent: "object", Abstract: true, Class: tlsCredsClass()},
		{Name: x509Type, Parent: tlsType, Class: tlsCredsClass()},
		{Name: authzType, Parent: "object", Abstract: true},
		{Name: authzSimpleType, Parent: authzType, Class: simpleClass()},
		{Name: authzListType, Parent: authzType, Class: listClass()},
		{Name: authzListFileType, Parent: authzType, Class: listFileClass()},
	}
}
