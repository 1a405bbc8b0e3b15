// Package backend is what users make with -object and object-add and devices
// then use: memory, sources of entropy, secrets, threads.
//
// Every type embeds a qom.Object and lives below /objects in the tree; the last
// reference to it gives back what it holds. A constructor either returns an
// object that is ready for use, with one reference, or an error in QEMU's words
// and nothing.
//
// Concurrency: everything is guarded by the BQL but for [RNG.Read], which any
// one user at a time may call. An [IOThread] starts one thread; the package
// has no locks. Constructors may block for a file of the host to be opened.
package backend

import "github.com/backplane-vm/backplane/internal/qom"

// properties is a class's properties in QEMU's order.
type properties []*qom.Property

// Properties implements [qom.Class].
func (p properties) Properties() []*qom.Property { return p }

// Property implements [qom.Class].
func (p properties) Property(name string) *qom.Property {
	for _, x := range p {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// Register enters the types.
func Register(t *qom.Types) error {
	return t.Add(append(securityTypes(),
		qom.Type{Name: backendType, Parent: "object", Abstract: true, Class: memoryClass(backendType)},
		qom.Type{Name: memoryType, Parent: backendType, Class: memoryClass(memoryType)},
		qom.Type{Name: fileType, Parent: backendType, Class: fileClass()},
		qom.Type{Name: memfdType, Parent: backendType, Class: memfdClass()},
		qom.Type{Name: "rng-backend", Parent: "object", Abstract: true, Class: rngClass(false)},
		qom.Type{Name: builtinType, Parent: "rng-backend", Class: rngClass(false)},
		qom.Type{Name: randomType, Parent: "rng-backend", Class: rngClass(true)},
		qom.Type{Name: "secret_common", Parent: "object", Abstract: true},
		qom.Type{Name: secretType, Parent: "secret_common", Class: secretClass()},
		qom.Type{Name: throttleType, Parent: "object", Class: throttleClass()},
		qom.Type{Name: "event-loop-base", Parent: "object", Abstract: true},
		qom.Type{Name: iothreadType, Parent: "event-loop-base", Class: iothreadClass()},
	)...)
}
