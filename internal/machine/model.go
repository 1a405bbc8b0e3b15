package machine

import (
	"iter"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/riscv"
)

// The only CPU model, and the type of CPUs of it.
const (
	CPUModel = "rv64"
	CPUType  = "rv64-riscv-cpu"
)

// A Feature is a property of the CPU model that says whether its harts have
// something.
type Feature struct {
	Name string
	Has  bool
	// Letter is set for the extensions that have only a letter, which clients
	// can ask for, but which an expansion of the model does not list.
	Letter bool
}

// What QEMU's model can have, by name.
const (
	letters = "i e m a f d c s u h v g b"

	extensions = `
sscofpmf smcntrpmf smcsrind smcdeleg sscsrind ssccfg smctr ssctr zifencei zicfilp zicfiss zicsr zihintntl zihintpause
zimop zcmop zacas zama16b zabha zaamo zalrsc zawrs zfa zfbfmin zfh zfhmin zve32f zve32x zve64f zve64d zve64x zvfbfmin
zvfbfwma zvfh zvfhmin sstc ssnpm sspm supm smaia smdbltrp smepmp smrnmi smmpm smnpm smstateen ssaia ssdbltrp svade
svadu svinval svnapot svpbmt svvptc zicntr zihpm zba zbb zbc zbkb zbkc zbkx zbs zk zkn zknd zkne zknh zkr zks zksed
zksh zkt ztso zdinx zfinx zhinx zhinxmin zicbom zicbop zicboz zmmul zca zcb zcd zce zcf zcmp zcmt zicond zvbb zvbc
zvkb zvkg zvkned zvknha zvknhb zvksed zvksh zvkt zvkn zvknc zvkng zvks zvksc zvksg x-svukte xtheadba xtheadbb xtheadbs
xtheadcmo xtheadcondmov xtheadfmemidx xtheadfmv xtheadmac xtheadmemidx xtheadmempair xtheadsync xventanacondops zic64b
ssstateen sha ziccrse`

	profiles = "rva22u64 rva22s64 rva23u64 rva23s64"
	units    = "mmu pmp"
)

// Features iterates over what the model has and what it has not.
func Features() iter.Seq[Feature] {
	has := implemented()
	return func(yield func(Feature) bool) {
		for _, group := range []string{letters, extensions, profiles, units} {
			for name := range strings.FieldsSeq(group) {
				if !yield(Feature{Name: name, Has: slices.Contains(has, name), Letter: group == letters}) {
					return
				}
			}
		}
	}
}

// implemented returns the names of what the harts have: what is in their ISA,
// the parts that its letters consist of, and what is in no ISA.
func implemented() []string {
	base, multi, _ := strings.Cut(strings.TrimPrefix(riscv.ISA, "rv64"), "_")
	has := append(strings.Split(multi, "_"), "s", "u", "mmu", "pmp")
	parts := map[rune][]string{'a': {"zaamo", "zalrsc"}, 'c': {"zca"}, 'm': {"zmmul"}}
	for _, letter := range base {
		has = append(append(has, string(letter)), parts[letter]...)
	}
	return has
}
